// test_watch.c - section >>watch: alarms and scores of packets as they come, against those of
// the same packets as a table.
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "traffic.h"

#include <float.h>
#include <math.h>

// Learns from a table; the same table is what normal scores are.
static int learn(parts *p, const pktseq_table *table, const pktseq_schema *schema, int reference) {
    plan how = plan_of(*schema, 9, 7);
    pktseq_status status;
    pktseq_error err;
    double weight[16];
    memset(p, 0, sizeof *p);
    how.dataset.inputs = reference ? 3 : 0;
    how.dataset.start = reference ? PKTSEQ_START_TARGET : PKTSEQ_START_INPUT;
    how.loss = reference ? PKTSEQ_LOSS_MSE : PKTSEQ_LOSS_NLL;
    how.train = run_of(30, 4, 0.05, 0, 0);
    status = parts_encode(p, &how, table, &err);
    if (!reference) how.detector = pktseq_detector_options_recommended(&p->codec, weight);
    how.detector.false_positive_rate = 0.1;
    if (!status) status = parts_learn(p, &how, &err);
    if (!status) status = parts_fit(p, &how, &err);
    CHECK_THAT(!status, "%s", err.text);
    return !status;
}

// What alarms say, by sequence.
typedef struct heard {
    size_t alarms, ends;
    double last[MOST], first[MOST];  // scores; 0 = none
    size_t packets[MOST];
} heard;

static void hear(void *user_data, const pktseq_alarm *a) {
    heard *h = (heard *)user_data;
    size_t s = (size_t)a->sequence;
    CHECK(s < MOST && a->packets > 0 && (a->repeated || a->score > a->threshold));
    if (s >= MOST) return;
    CHECK(a->repeated == (h->first[s] != 0));
    CHECK(a->ended || (a->packets >= 4 && (a->packets & (a->packets - 1)) == 0));
    CHECK(a->protocol[0] && a->reasons <= 3);
    for (size_t i = 0; i < a->reasons; ++i) {
        const pktseq_reason *r = &a->reason[i];
        CHECK(r->column && r->packet >= 1 && r->packet <= a->packets && r->expected[0] &&
              r->seen[0] && r->share > 0);
        if (i) CHECK(r->share <= a->reason[i - 1].share);
    }
    ++*(a->ended ? &h->ends : &h->alarms);
    if (!a->repeated) h->first[s] = a->score;
    if (!a->repeated) h->packets[s] = a->packets;
    h->last[s] = a->ended ? a->score : 0;
}

// A table of random packets of both rules, in which every sequence is long enough.
static size_t random_packets(pktseq_packet *packet) {
    size_t rows = 200 + random_below(MOST - 200);
    unsigned addresses = 2 + random_below(4);
    double clock = 1.7e9;
    for (size_t i = 0; i < rows; ++i) {
        packet[i] = random_packet(&clock, addresses, 3);
        if (packet[i].length > 65535) packet[i].length = 80;
    }
    return rows;
}

// What a watcher says of packets whose payload is their length, if a column of the codec has
// another name: payload and notes are known of each packet, as the length is.
static void watch_as(parts *l, const char *column, const pktseq_packet *packet, size_t rows,
                     heard *got) {
    pktseq_watcher_options options;
    pktseq_watcher watcher;
    pktseq_error err;
    const char *was;
    size_t length = 0;
    while (strcmp(l->codec.field[length].column, "length") != 0) ++length;
    memset(got, 0, sizeof *got);
    memset(&options, 0, sizeof options);
    options.alarm_fn = hear;
    options.user_data = got;
    options.threshold = -DBL_MAX;
    was = l->codec.field[length].column;
    l->codec.field[length].column = column;
    CHECK_THAT(!pktseq_watcher_init(&watcher, &l->model, &l->codec, &l->detector, &options, NULL,
                                    &err), "%s", err.text);
    for (size_t i = 0; i < rows && watcher.state; ++i) {
        pktseq_packet p = packet[i];
        p.length = p.payload = p.notes = (uint32_t)p.length;
        CHECK(pktseq_watcher_push(&watcher, &p) == PKTSEQ_OK);
    }
    pktseq_watcher_tick(&watcher, HUGE_VAL);
    pktseq_watcher_free(&watcher);
    l->codec.field[length].column = was;
}

// Scores at the end are those of the file, to the bit: with a threshold below all, every sequence
// ends with an alarm. Under the fitted threshold the share that ever raises one is the promised
// one, those among them whose file's score is above it.
static void test_watch(void) {
    static hand h;
    static pktseq_packet packet[MOST];
    static heard got;
    static parts l;
    static double score[MOST];
    for (int round = 0; round < 24; ++round) {
        int reference = round % 3 == 2;
        pktseq_schema schema = reference ? pktseq_schema_default() : pktseq_schema_recommended(1);
        pktseq_watcher_options options;
        pktseq_watcher watcher, moved;
        pktseq_drift drift;
        counter memory;
        pktseq_allocator allocator = counted(&memory);
        size_t rows = random_packets(packet), over = 0, same = 0;
        pktseq_error err;
        if (!reference) schema.rule = random_rule();
        schema.rule.max_pairs = 50;
        schema.constant_is_zero = 1;
        fill_hand(&h, packet, rows);
        if (pktseq_table_track(&h.table, &schema.rule, &schema, &err)) {
            CHECK_THAT(0, "%s", err.text);
            free_hand(&h);
            continue;
        }
        if (learn(&l, &h.table, &schema, reference)) {
            size_t skipped = 0;
            for (int fitted = 0; fitted < 2; ++fitted) {
                const pktseq_detector *detector = &l.detector;
                memset(&got, 0, sizeof got);
                memset(&options, 0, sizeof options);
                options.alarm_fn = hear;
                options.user_data = &got;
                if (!fitted) options.threshold = -DBL_MAX;
                CHECK(!pktseq_detector_score_all(detector, &l.model, &l.dataset, 1, score, &err));
                CHECK_THAT(!pktseq_watcher_init(&moved, &l.model, &l.codec, detector, &options,
                                                &allocator, &err), "%s", err.text);
                watcher = moved;  // where a struct lies must not matter
                memset(&moved, 0x5a, sizeof moved);
                watcher.drift.window = 0;
                for (size_t i = 0; i < rows; ++i)
                    CHECK(pktseq_watcher_push(&watcher, &packet[i]) == PKTSEQ_OK);
                pktseq_watcher_tick(&watcher, HUGE_VAL);
                memset(&drift, 0, sizeof drift);
                for (size_t p = 0; p < l.dataset.pairs; ++p) {
                    size_t s = 0;
                    CHECK(!pktseq_drift_add(&drift, detector, score[p], 0,
                                            (double)l.dataset.length[p], 0));
                    while (h.table.start[s] != l.dataset.first_row[p]) ++s;
                    CHECK_THAT(fitted ? score[p] <= watcher.options.threshold || got.last[s] != 0
                                      : got.last[s] != 0, "sequence %lu ends without a word",
                               (unsigned long)s);
                    if (fitted && got.last[s] == 0) continue;
                    CHECK_THAT(got.last[s] == score[p], "sequence %lu: %.17g, in the file %.17g",
                               (unsigned long)s, got.last[s], score[p]);
                    same += got.last[s] == score[p];
                }
                for (size_t s = 0; s < h.table.sequences && fitted; ++s) over += got.first[s] != 0;
                if (fitted) {
                    size_t allowed = (size_t)(0.125 * (double)l.dataset.pairs) + 1;
                    CHECK_THAT(over <= allowed && watcher.anomalous == over, "%lu of %lu",
                               (unsigned long)over, (unsigned long)l.dataset.pairs);
                    CHECK(over > 0 || l.dataset.pairs < 10);
                }
                CHECK(watcher.alarms == got.alarms && watcher.alarms <= watcher.anomalous);
                for (int k = 0; k < 7; ++k) CHECK(drift.below[k] == watcher.drift.below[k]);
                CHECK(drift.sequences == watcher.drift.sequences &&
                      drift.packets == watcher.drift.packets &&
                      watcher.drift.above == (double)watcher.anomalous &&
                      watcher.drift.unknown == (double)watcher.unknown &&
                      watcher.drift.named == watcher.drift.unknown);
                skipped += watcher.sequences < h.table.sequences;
                pktseq_watcher_free(&watcher);
                pktseq_watcher_free(&watcher);
                CHECK(memory.live == 0);
            }
            CHECK(same > 3 && skipped == 0);
            for (int k = 0; k < 3 && reference; ++k) {
                static const char *const column[] = {"length", "payload", "notes"};
                static heard other;
                watch_as(&l, column[k], packet, rows, k ? &other : &got);
                if (k) CHECK(memcmp(got.last, other.last, sizeof got.last) == 0);
            }
        }
        parts_free(&l);
        free_hand(&h);
    }
}

// Sequences that end one after the other, a second apart, with exponential scores times `scale`,
// from so many sources; the share of the last half that is above the threshold of then.
static double adapt_on(pktseq_watcher *w, pktseqi_watched *s, int n, double scale, int sources,
                       double shift) {
    double above = 0;
    for (int i = 0; i < n; ++i) {
        double score = shift - scale * log((random_below(1000000) + 0.5) / 1000000);
        s->alarm.time += 1;
        s->alarm.src[0] = (unsigned char)(i % sources);
        s->alarm.repeated = score > w->options.threshold;
        s->highest = i & 1 ? score : -DBL_MAX;  // the higher of the two counts
        if (2 * i >= n) above += s->alarm.repeated;
        pktseqi_adapt_add(w, s, i & 1 ? -DBL_MAX : score);
    }
    return above / (n - n / 2);
}

// The threshold follows what many hosts do by now, and not a burst of alarms from one; what is
// older than the span is forgotten.
static void test_adapt(void) {
    static pktseqi_ended ended[PKTSEQI_ADAPT];
    static double sorted[PKTSEQI_ADAPT];
    static pktseq_watcher w;
    static pktseqi_watching state;
    static pktseqi_watched s;
    pktseq_detector d;
    double share, before;
    const double *threshold = &w.options.threshold;
    memset(&d, 0, sizeof d);
    state.ended = ended;
    state.sorted = sorted;
    state.stream.detector = &d;
    w.state = &state;
    w.options.threshold = 4.6;
    w.options.adapt = 3000;
    w.options.false_positive_rate = 0.01;
    d.dispersion = 1;
    d.sequences = 1000;
    CHECK(pktseqi_float_of(1e300) == FLT_MAX && pktseqi_float_of(-1e300) == -FLT_MAX);
    CHECK(pktseqi_float_of(0.5) == 0.5f);
    adapt_on(&w, &s, 150, 1, 50, 0);
    CHECK(*threshold == 4.6);  // too few
    adapt_on(&w, &s, 2000, 1, 50, 0);
    CHECK_THAT(*threshold > 4 && *threshold < 5.5 && *threshold != 4.6, "%g", *threshold);
    before = *threshold;
    share = adapt_on(&w, &s, 1000, 1, 1, 50);
    CHECK_THAT(share > 0.999 && *threshold < 1.3 * before, "%g above %g, which was %g", share,
               *threshold, before);
    adapt_on(&w, &s, 3000, 1, 50, 0);
    share = adapt_on(&w, &s, 6000, 1.5, 50, 0);
    CHECK_THAT(share < 0.02 && *threshold > 5.5, "%g above %g", share, *threshold);
    share = adapt_on(&w, &s, 6000, 0.5, 50, 0);
    CHECK_THAT(share > 0.003 && share < 0.02 && *threshold < 3, "%g above %g", share,
               *threshold);
}

int main(void) {
    test_watch();
    test_adapt();
    return check_end("test_watch");
}
