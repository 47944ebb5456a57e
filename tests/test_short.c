// test_short.c - section >>short: what it learns, scores and raises is, to the bit, what the
// functions that it is made of give; and how it fails.
//
// cc -O2 -fopenmp tests/test_short.c -o build/test_short -lm && ./build/test_short
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

enum { CONNECTIONS = 90, MOST = 2000 };

static char csv_path[1100], model_path[1100];
static pktseq_packet packet[MOST];
static size_t packets;
static const char *other_protocol;  // instead of TCP, or NULL

static uint64_t state;
static unsigned draw(unsigned below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

// Makes conversations of TCP that overlap in time: packet (packets), and the same as CSV. Every
// `attack`-th is labelled as an attack (0: none).
static void make_traffic(uint64_t seed, unsigned connections, unsigned attack) {
    unsigned length[CONNECTIONS], done[CONNECTIONS], left = connections;
    FILE *f = fopen(csv_path, "wb");
    state = seed;
    packets = 0;
    CHECK_THAT(f != NULL, "%s cannot be written", csv_path);
    if (!f) return;
    fprintf(f, "timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg,ack,"
            "push,reset,syn,fin,label\n");
    for (unsigned i = 0; i < connections; ++i) done[i] = 0, length[i] = 2 + draw(9);
    while (left && packets < MOST) {
        unsigned i = draw(connections < 5 ? connections : 5), back, end;
        unsigned k = 0;
        pktseq_packet *p = &packet[packets];
        for (unsigned at = 0; at < connections; ++at)  // the i-th of those that are not done
            if (done[at] < length[at] && (k = at, i-- == 0)) break;
        memset(p, 0, sizeof *p);
        back = done[k] % 2;
        end = ++done[k] == length[k];
        left -= end;
        p->time = (double)packets * 0.25;
        p->length = 60 + 40 * (double)draw(4) + (draw(40) ? 0 : 900);
        p->src[10] = p->src[11] = p->dst[10] = p->dst[11] = 255;
        p->src[12] = p->dst[12] = 10;
        p->src[15] = (unsigned char)(back ? 200 : 1 + k % 7);
        p->dst[15] = (unsigned char)(back ? 1 + k % 7 : 200);
        p->transport = 6;
        p->src_port = (uint16_t)(back ? 80 : 40000 + k);
        p->dst_port = (uint16_t)(back ? 40000 + k : 80);
        p->flags = (uint16_t)(end ? 17 : done[k] == 1 ? 2 : draw(2) ? 24 : 16);
        p->protocol = draw(3) ? other_protocol ? other_protocol : "TCP" : "HTTP";
        fprintf(f, "%.2f,10.0.0.%u,10.0.0.%u,%s,%g,%u,%u,0,0,0,0,0,%d,%d,0,%d,%d,%s\n", p->time,
                p->src[15], p->dst[15], p->protocol, p->length, p->src_port, p->dst_port,
                p->flags >> 4 & 1, p->flags >> 3 & 1, p->flags >> 1 & 1, p->flags & 1,
                attack && k % attack == attack - 1 ? "attack" : "0");
        ++packets;
    }
    CHECK(fclose(f) == 0 && left == 0);
}

// What the functions of the full API make of the same file.
typedef struct whole {
    parts p;
    double score[CONNECTIONS * 2];
    size_t scores;
} whole;

// Learns as `train --recommended --epochs X` does, labelled attacks left out.
static int learn_whole(whole *w, double epochs) {
    static const char *const keep[] = {"label"};
    plan how = plan_of(pktseq_schema_recommended(1), 64, 1);
    parts *p = &w->p;
    pktseq_status status;
    pktseq_error err;
    const pktseq_column *label;
    unsigned char use[CONNECTIONS * 2];
    double weight[64];
    memset(w, 0, sizeof *w);
    how.schema.hold_out = how.dataset.hold_out = 0.2;
    how.schema.keep = keep;
    how.schema.keep_count = 1;
    how.dataset.inputs = 0;
    how.dataset.start = PKTSEQ_START_INPUT;
    how.loss = PKTSEQ_LOSS_NLL;
    if (pktseq_table_read(&p->table, csv_path, &how.schema, NULL, &err)) return 0;
    label = pktseq_table_column(&p->table, "label");
    for (size_t s = 0; s < p->table.sequences; ++s)
        use[s] = strcmp(pktseq_column_text(label, p->table.start[s]), "attack") != 0;
    CHECK(pktseq_table_select(&p->table, use, &err) == PKTSEQ_OK);
    status = parts_encode(p, &how, &p->table, &err);
    CHECK_THAT(!status, "%s", err.text);
    if (status) return 0;
    how.train = run_of((size_t)(epochs * (double)p->dataset.trained / 32 + 0.999), 32, 0.1, 0.9, 1);
    how.train.teacher_forcing = 1;
    how.train.order = PKTSEQ_ORDER_SHUFFLED;
    how.detector = pktseq_detector_options_recommended(&p->codec, weight);
    how.detector.false_positive_rate = 0.2;
    status = parts_learn(p, &how, &err);
    if (!status) status = parts_fit(p, &how, &err);
    CHECK_THAT(!status, "%s", err.text);
    return !status;
}

// Scores the whole file, attacks and all.
static void score_whole(whole *w) {
    pktseq_schema schema = schema_of(w->p.codec.field, w->p.codec.field_count);
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_table table;
    pktseq_dataset dataset;
    pktseq_error err;
    schema.rule = pktseq_rule_connection();
    options.inputs = 0;
    options.start = PKTSEQ_START_INPUT;
    CHECK_THAT(!pktseq_table_read(&table, csv_path, &schema, NULL, &err) &&
               !pktseq_dataset_init(&dataset, &w->p.codec, &table, &options, NULL, &err) &&
               !pktseq_detector_score_all(&w->p.detector, &w->p.model, &dataset, 1, w->score,
                                          &err), "%s", err.text);
    w->scores = dataset.pairs;
    pktseq_dataset_free(&dataset);
    pktseq_table_free(&table);
}

static const whole *expected;
static size_t shown, attacks;

static void on_scored(void *user_data, const pktseq_scored *s) {
    CHECK(user_data == &shown);
    CHECK_THAT(shown < expected->scores && s->score == expected->score[shown],
               "sequence %lu: %.17g", (unsigned long)shown, s->score);
    CHECK(s->threshold == expected->p.detector.threshold && s->sequence == shown);
    CHECK(s->connection == shown && s->first_row < packets && s->last_row < packets);
    if (s->first_row < packets && s->last_row < packets) {
        const pktseq_packet *p = &packet[s->first_row];
        char src[46], dst[46];
        pktseq_address_text(p->src, src);
        pktseq_address_text(p->dst, dst);
        CHECK(!strcmp(s->src, src) && !strcmp(s->dst, dst));
        CHECK(s->src_port == p->src_port && s->dst_port == p->dst_port);
        CHECK(s->begin == p->time && s->time == packet[s->last_row].time);
        CHECK(p->flags == 2 && packet[s->last_row].flags == 17 && s->packets >= 2);
    }
    attacks += !strcmp(s->label, "attack");
    ++shown;
}

typedef struct heard {
    size_t count, reasons;
    double sum;
    uint64_t hash;
} heard;

static void on_alarm(void *user_data, const pktseq_alarm *a) {
    heard *h = (heard *)user_data;
    uint64_t bits;
    memcpy(&bits, &a->score, sizeof bits);
    h->hash = (h->hash ^ bits ^ a->sequence << 8 ^ (uint64_t)a->packets) * 0x100000001b3u;
    h->count += 1;
    h->reasons += a->reasons;
    h->sum += a->threshold;
}

// Shows all packets to the full API's watcher.
static heard watch_whole(const whole *w) {
    pktseq_watcher_options options;
    pktseq_watcher watcher;
    pktseq_error err;
    heard h;
    memset(&h, 0, sizeof h);
    memset(&options, 0, sizeof options);
    options.alarm_fn = on_alarm;
    options.user_data = &h;
    CHECK_THAT(!pktseq_watcher_init(&watcher, &w->p.model, &w->p.codec, &w->p.detector, &options,
                                    NULL,
                                    &err), "%s", err.text);
    for (size_t i = 0; i < packets; ++i) CHECK(!pktseq_watcher_push(&watcher, &packet[i]));
    pktseq_watcher_tick(&watcher, HUGE_VAL);
    pktseq_watcher_free(&watcher);
    return h;
}

static void check_watch(pktseq_guard *guard, heard *h, const heard *want) {
    pktseq_error err;
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < packets; ++i)
        CHECK_THAT(!pktseq_guard_watch(guard, &packet[i], &err), "%s", err.text);
    pktseq_guard_tick(guard, HUGE_VAL);
    CHECK(h->count > 3 && h->reasons >= h->count);
    CHECK_THAT(memcmp(h, want, sizeof *h) == 0, "%lu alarms, not %lu", (unsigned long)h->count,
               (unsigned long)want->count);
    CHECK(guard->watcher.sequences == expected->scores);
}

static void on_threshold(void *user_data, const pktseq_scored *s) {
    *(double *)user_data = s->threshold;
}

// Opens the model of `w` and takes both thresholds out: of files, and of packets.
static void check_thresholds(const pktseq_guard_options *options, double of_file,
                             double of_packets) {
    pktseq_guard guard;
    pktseq_error err;
    double seen = 0;
    CHECK_THAT(!pktseq_guard_load(&guard, model_path, options, &err), "%s", err.text);
    CHECK_THAT(!pktseq_guard_score(&guard, csv_path, on_threshold, &seen, &err), "%s", err.text);
    CHECK_THAT(seen == of_file, "%g, not %g", seen, of_file);
    // ready for the first packet, and nothing counted
    CHECK_THAT(!pktseq_guard_watch(&guard, NULL, &err), "%s", err.text);
    CHECK(guard.watcher.options.threshold == of_packets && guard.watcher.tracker.packets == 0);
    CHECK(guard.watcher.options.adapt == options->adapt);
    pktseq_guard_free(&guard);
}

// A guard's threshold is what was learned, or of another rate, or the caller's own.
static void test_thresholds(const whole *w, const pktseq_guard_options *learned) {
    pktseq_guard_options options = *learned;
    pktseq_guard guard;
    pktseq_error err;
    double file, live;
    options.false_positive_rate = 0;
    check_thresholds(&options, w->p.detector.threshold, w->p.detector.running_threshold);
    options.false_positive_rate = 0.05;
    options.adapt = 600;
    CHECK(!pktseq_detector_threshold(&w->p.detector, 0, 0.05, &file, NULL, NULL));
    CHECK(!pktseq_detector_threshold(&w->p.detector, 1, 0.05, &live, NULL, NULL));
    CHECK(file > w->p.detector.threshold && live > w->p.detector.running_threshold);
    check_thresholds(&options, file, live);
    options.threshold = 0.7;
    check_thresholds(&options, 0.7, 0.7);
    options.threshold = 0;
    options.false_positive_rate = 2;
    CHECK_THAT(!pktseq_guard_load(&guard, model_path, &options, &err), "%s", err.text);
    CHECK(pktseq_guard_score(&guard, csv_path, on_threshold, &file, &err) ==
          PKTSEQ_ERROR_ARGUMENT && says(&err, "false_positive_rate"));
    CHECK(pktseq_guard_watch(&guard, NULL, &err) == PKTSEQ_ERROR_ARGUMENT && !guard.watcher.state);
    // no score is above a threshold that is no number
    guard.options.false_positive_rate = 0;
    guard.options.threshold = (double)NAN;
    CHECK(pktseq_guard_score(&guard, csv_path, on_threshold, &file, &err) ==
          PKTSEQ_ERROR_ARGUMENT && says(&err, "threshold is not a number"));
    CHECK(pktseq_guard_watch(&guard, NULL, &err) == PKTSEQ_ERROR_ARGUMENT && !guard.watcher.state);
    guard.options.threshold = HUGE_VAL;
    CHECK_THAT(!pktseq_guard_watch(&guard, NULL, &err), "%s", err.text);
    pktseq_guard_free(&guard);
}

// Learn, store, open, score, watch, close: all as the full API has it.
static void test_path(void) {
    static whole w;
    pktseq_guard guard, again;
    pktseq_guard_options options;
    pktseq_error err;
    heard h, want;
    make_traffic(1, CONNECTIONS, 10);
    if (!learn_whole(&w, 5)) return;
    score_whole(&w);
    want = watch_whole(&w);
    expected = &w;
    CHECK(w.scores == CONNECTIONS);
    memset(&options, 0, sizeof options);
    options.epochs = 5;
    options.false_positive_rate = 0.2;
    options.threads = 1;
    options.alarm_fn = on_alarm;
    options.user_data = &h;
    options.rule.secret[0] = 77;
    CHECK_THAT(!pktseq_guard_learn(&guard, csv_path, &options, &err), "%s", err.text);
    CHECK(guard.model.parameters == w.p.model.parameters && guard.model.parameters > 0);
    CHECK(!memcmp(guard.model.block, w.p.model.block, w.p.model.parameters * sizeof(real)));
    CHECK(guard.training.iteration == w.p.training.iteration && guard.training.iteration < 20);
    CHECK(guard.training.data_hash == w.p.training.data_hash && guard.training.description[0]);
    CHECK(guard.detector.running_threshold == w.p.detector.running_threshold);
    CHECK_THAT(!pktseq_guard_save(&guard, model_path, &err), "%s", err.text);
    check_watch(&guard, &h, &want);
    pktseq_guard_free(&guard);
    CHECK(is_zero(&guard, sizeof guard));

    CHECK_THAT(!pktseq_guard_load(&again, model_path, &options, &err), "%s", err.text);
    shown = attacks = 0;
    CHECK_THAT(!pktseq_guard_score(&again, csv_path, on_scored, &shown, &err), "%s", err.text);
    CHECK(shown == CONNECTIONS && attacks == CONNECTIONS / 10);
    check_watch(&again, &h, &want);
    pktseq_guard_free(&again);
    pktseq_guard_free(&again);
    CHECK(is_zero(&again, sizeof again));
    test_thresholds(&w, &options);
    parts_free(&w.p);
}

static size_t planned, halt;

static int on_progress(void *user_data, const pktseq_progress *p) {
    (void)user_data;
    planned = p->iterations;
    return p->iteration == halt;
}

// What zero stands for, what options change, and a run that is stopped.
static void test_options(void) {
    pktseq_guard guard, other;
    pktseq_guard_options options;
    pktseq_error err;
    memset(&options, 0, sizeof options);
    options.progress = on_progress;
    halt = 3;
    CHECK(pktseq_guard_learn(&guard, csv_path, &options, &err) == PKTSEQ_STOPPED);
    CHECK_THAT(says(&err, "stopped") && err.status == PKTSEQ_STOPPED, "%s", err.text);
    CHECK(planned == 200 && guard.training.iteration == 3 && guard.detector.sequences > 0);
    CHECK(guard.detector.options.false_positive_rate == 0.01 &&
          guard.detector.options.context == 0.65);
    CHECK(guard.training.hold_out == 0.2 && guard.codec.rule.kind == PKTSEQ_RULE_CONNECTION);
    CHECK(!guard.codec.rule.tcp_only && guard.training.config.seed == 1);
    CHECK(!pktseq_guard_save(&guard, model_path, &err));

    options.epochs = 100;
    options.hold_out = 0.5;
    options.context = -1;
    options.seed = 5;
    options.tcp_only = 1;
    options.rule = pktseq_rule_default();
    halt = 1;
    CHECK(pktseq_guard_learn(&other, csv_path, &options, NULL) == PKTSEQ_STOPPED);
    CHECK(planned > 20 && planned < 200 && other.codec.contexts == 0);
    CHECK(other.training.hold_out == 0.5 && other.training.config.seed == 5);
    CHECK(other.codec.rule.kind == PKTSEQ_RULE_REFERENCE && other.codec.rule.tcp_only);
    CHECK(other.detector.options.context == 0);
    pktseq_guard_free(&other);
    pktseq_guard_free(&guard);
}

// Codec, dataset and model of p's table, new or in place of those of an old guard.
static pktseq_status prepare(const pktseq_recipe *recipe, const pktseq_guard *old, parts *p,
                             pktseq_error *err) {
    return pktseq_recipe_prepare(recipe, &p->table, old ? &old->codec : NULL,
                                 old ? &old->model : NULL, &p->codec, &p->dataset, &p->model, NULL,
                                 err);
}

static pktseq_status calibrate(const pktseq_recipe *recipe, parts *p, pktseq_error *err) {
    return pktseq_recipe_calibrate(recipe, &p->model, &p->codec, &p->dataset, &p->detector, err);
}

// Is there nothing, as after a failure?
static int unprepared(const parts *p) {
    return is_zero(&p->codec, sizeof p->codec) && is_zero(&p->dataset, sizeof p->dataset) &&
           is_zero(&p->model, sizeof p->model);
}

// Frees all but the table.
static void keep_table(parts *p) {
    pktseq_table table = p->table;
    memset(&p->table, 0, sizeof p->table);
    parts_free(p);
    p->table = table;
}

// The recipe: what zero stands for in it, iterations, and how its steps fail.
static void test_recipe(void) {
    pktseq_recipe r = pktseq_recipe_default(), empty;
    pktseq_guard_options options;
    parts p;
    pktseq_error err;
    memset(&options, 0, sizeof options);
    memset(&empty, 0, sizeof empty);
    memset(&p, 0, sizeof p);
    CHECK(r.hidden == 256 && r.train.batch == 1 && r.dataset.inputs == 3 && r.epochs == 0);
    CHECK(r.schema.rule.kind == PKTSEQ_RULE_REFERENCE && r.loss == PKTSEQ_LOSS_MSE);
    CHECK(pktseq_recipe_recommended(NULL, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    options.context = 1;
    CHECK(pktseq_recipe_recommended(&r, &options, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(says(&err, "context") && r.hidden == 0 && r.schema.field == NULL);
    CHECK(!pktseq_recipe_recommended(&r, NULL, &err) && r.hidden == 64 && r.epochs == 6);

    make_traffic(1, 40, 10);
    CHECK_THAT(!pktseq_table_read(&p.table, csv_path, &r.schema, NULL, &err), "%s", err.text);
    CHECK_THAT(!prepare(&r, NULL, &p, &err), "%s", err.text);
    CHECK(p.table.sequences == 36 && p.dataset.pairs == 36 && p.dataset.trained < 36);
    CHECK(pktseq_recipe_iterations(&r, &p.dataset) == 200);
    for (size_t i = 0; i < 2; ++i) {  // one that there is, one that there is not
        pktseq_scored q = pktseq_table_describe(&p.table, i ? 36 : 35);
        CHECK(i ? q.packets == 0 && !q.src[0] : q.packets > 1 && q.sequence == 35);
    }
    CHECK(pktseq_table_describe(NULL, 0).packets == 0);
    r.min_iterations = 1;
    CHECK(pktseq_recipe_iterations(&r, &p.dataset) == (6 * p.dataset.trained + 31) / 32);
    r.epochs = 1e-9;
    CHECK(pktseq_recipe_iterations(&r, &p.dataset) == 1);
    r.epochs = 0;
    CHECK(pktseq_recipe_iterations(&r, &p.dataset) == 100000);
    CHECK(!pktseq_recipe_iterations(NULL, &p.dataset) && !pktseq_recipe_iterations(&r, NULL));
    {  // more than a size_t holds: a number that it holds, of 32 bits as well
        pktseq_dataset huge = p.dataset;
        huge.trained = (size_t)-1;
        r.epochs = 1e6;
        CHECK(pktseq_recipe_iterations(&r, &huge) ==
              (size_t)(sizeof(size_t) < 8 ? 4e9 : 1e15));
        r.epochs = 0;
    }
    for (int missing = 0; missing < 5; ++missing)
        CHECK_THAT(pktseq_recipe_calibrate(missing == 0 ? NULL : &r, missing == 2 ? NULL : &p.model,
                                           missing == 3 ? NULL : &p.codec,
                                           missing == 4 ? NULL : &p.dataset,
                                           missing == 1 ? NULL : &p.detector, &err) ==
                       PKTSEQ_ERROR_ARGUMENT && !p.detector.memory, "argument %d", missing);
    CHECK(!calibrate(&r, &p, &err));
    CHECK(p.detector.sequences == 36 && p.detector.options.context == 0.65);
    // what it is calibrated with the second time are the recipe's settings, all else its own
    r.context = 0.25;
    r.false_positive_rate = 0.1;
    p.detector.options.one_step_ahead = 0;
    CHECK(!calibrate(&r, &p, &err));
    CHECK(p.detector.options.context == 0.25 && p.detector.options.false_positive_rate == 0.1);
    CHECK(p.detector.sequences == 36 && !p.detector.options.one_step_ahead &&
          p.detector.options.measure == PKTSEQ_MEASURE_SURPRISAL);
    keep_table(&p);

    CHECK(prepare(NULL, NULL, &p, &err) == PKTSEQ_ERROR_ARGUMENT && unprepared(&p));
    CHECK(prepare(&empty, NULL, &p, &err) == PKTSEQ_ERROR_ARGUMENT && unprepared(&p));
    CHECK(pktseq_recipe_prepare(&r, NULL, NULL, NULL, &p.codec, &p.dataset, &p.model, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT && unprepared(&p));
    CHECK(pktseq_recipe_prepare(&r, &p.table, NULL, NULL, NULL, &p.dataset, &p.model, NULL,
                                &err) == PKTSEQ_ERROR_ARGUMENT && unprepared(&p));
    r.dataset.hold_out = 1e-17;
    CHECK(prepare(&r, NULL, &p, &err) == PKTSEQ_ERROR_DATA && says(&err, "none is held out") &&
          unprepared(&p));
    r.dataset.hold_out = 0;
    r.hidden = 0;
    CHECK(prepare(&r, NULL, &p, &err) == PKTSEQ_ERROR_ARGUMENT && unprepared(&p));
    parts_free(&p);
}

// A detector that is calibrated again is the same one: also the reference's, of a codec without a
// context, and with a rate of 0, which a recipe made from the model keeps.
static void test_calibrate_again(void) {
    pktseq_recipe r = pktseq_recipe_default(), again;
    parts p;
    pktseq_error err;
    double threshold, highest;
    memset(&p, 0, sizeof p);
    r.hidden = 4;
    r.dataset.hold_out = 0.2;
    make_traffic(1, 40, 0);
    CHECK_THAT(!pktseq_table_read(&p.table, csv_path, &r.schema, NULL, &err), "%s", err.text);
    CHECK_THAT(!prepare(&r, NULL, &p, &err), "%s", err.text);
    CHECK_THAT(!calibrate(&r, &p, &err), "%s", err.text);
    threshold = p.detector.threshold;
    CHECK(p.detector.options.context == 0 && p.detector.options.false_positive_rate == 0.01);
    CHECK_THAT(!calibrate(&r, &p, &err), "%s", err.text);
    CHECK(p.detector.threshold == threshold && p.detector.options.context == 0);
    r.false_positive_rate = 0;
    CHECK_THAT(!calibrate(&r, &p, &err), "%s", err.text);
    highest = p.detector.scores.quantile[PKTSEQ_QUANTILES - 1];
    CHECK(p.detector.threshold == highest && p.detector.options.false_positive_rate == 0);
    CHECK(!pktseq_recipe_from_model(&again, &p.model, &p.codec, NULL, &p.detector, &err));
    CHECK(again.false_positive_rate == 0 && again.context == 0);
    CHECK_THAT(!calibrate(&again, &p, &err), "%s", err.text);
    CHECK(p.detector.threshold == highest && p.detector.options.false_positive_rate == 0);
    r.false_positive_rate = (double)NAN;
    CHECK(calibrate(&r, &p, &err) == PKTSEQ_ERROR_ARGUMENT && p.detector.threshold == highest);
    parts_free(&p);
}

// A model goes on with traffic of another protocol: it gets features for it, its settings are its
// own but for the rate, and what it makes of new traffic becomes better.
static void test_again(void) {
    pktseq_recipe r;
    pktseq_guard old;
    parts p;
    const pktseq_training *done = &p.training;
    pktseq_guard_options options;
    pktseq_error err;
    memset(&options, 0, sizeof options);
    memset(&p, 0, sizeof p);
    options.context = 0.5;
    make_traffic(1, 80, 0);
    CHECK_THAT(!pktseq_guard_learn(&old, csv_path, &options, &err), "%s", err.text);
    CHECK(!pktseq_recipe_from_model(&r, &old.model, &old.codec, &old.training, &old.detector,
                                    &err));
    CHECK(r.train.learning_rate == 0.05 && r.train.batch == 32 && r.hidden == 64 && r.epochs == 6);
    CHECK(r.context == 0.5 && r.dataset.hold_out == 0.2 && r.schema.field == old.codec.field);
    other_protocol = "DNS";
    make_traffic(2, 80, 0);
    other_protocol = NULL;
    CHECK_THAT(!pktseq_table_read(&p.table, csv_path, &r.schema, NULL, &err), "%s", err.text);
    CHECK_THAT(!prepare(&r, &old, &p, &err), "%s", err.text);
    CHECK(p.codec.features > old.codec.features && p.model.config.hidden == 64);
    r.train.iterations = pktseq_recipe_iterations(&r, &p.dataset);
    r.train.loss_interval = 10;
    CHECK(r.train.iterations == 100);
    CHECK_THAT(!pktseq_train(&p.model, &p.dataset, &r.train, &p.training, &err), "%s", err.text);
    CHECK_THAT(done->losses == 10 && done->loss[9] < 0.9 * done->loss[0], "%g, then %g",
               done->loss[0], done->loss[9]);
    CHECK_THAT(!calibrate(&r, &p, &err), "%s", err.text);
    CHECK_THAT(!pktseq_save(&p.model, &p.codec, &p.training, &p.detector, model_path, &err), "%s",
               err.text);
    keep_table(&p);
    for (int without = 0; without < 2; ++without)  // codec and model go together
        CHECK(pktseq_recipe_prepare(&r, &p.table, without ? NULL : &old.codec,
                                    without ? &old.model : NULL, &p.codec, &p.dataset, &p.model,
                                    NULL, &err) == PKTSEQ_ERROR_ARGUMENT && unprepared(&p));
    CHECK(pktseq_recipe_from_model(&r, NULL, &old.codec, NULL, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_recipe_from_model(NULL, &old.model, &old.codec, NULL, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_recipe_from_model(&r, &old.model, NULL, NULL, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT && r.hidden == 0);
    CHECK(!pktseq_recipe_from_model(&r, &old.model, &old.codec, NULL, NULL, &err) &&
          r.context == 0.65);
    pktseq_guard_free(&old);
    // What goes on can go on again, and be opened.
    CHECK_THAT(!pktseq_guard_load(&old, model_path, NULL, &err), "%s", err.text);
    CHECK(!pktseq_recipe_from_model(&r, &old.model, &old.codec, &old.training, &old.detector,
                                    &err));
    CHECK(r.train.learning_rate == 0.05);
    CHECK_THAT(!prepare(&r, &old, &p, &err), "%s", err.text);
    CHECK(p.model.parameters == old.model.parameters &&
          !memcmp(p.model.block, old.model.block, p.model.parameters * sizeof(real)));
    parts_free(&p);
    pktseq_guard_free(&old);
}

// After a failure a guard is empty, and err says why.
static void check_learn(const pktseq_guard_options *options, const char *path, pktseq_status status,
                        const char *words) {
    pktseq_guard guard;
    pktseq_error err;
    pktseq_status got;
    memset(&guard, 0x5a, sizeof guard);
    got = pktseq_guard_learn(&guard, path, options, &err);
    CHECK_THAT(got == status && err.status == status && says(&err, words), "status %d: %s",
               (int)got, err.text);
    CHECK(is_zero(&guard, sizeof guard));
    pktseq_guard_free(&guard);
}

static void on_nothing(void *user_data, const pktseq_scored *s) {
    (void)s;
    ++*(size_t *)user_data;
}

static void test_failures(void) {
    pktseq_guard_options options;
    pktseq_guard guard;
    pktseq_packet p = packet[0];
    pktseq_error err;
    double bad[] = {-1, 1, (double)NAN, HUGE_VAL};
    size_t calls = 0;
    memset(&options, 0, sizeof options);
    options.epochs = 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        pktseq_guard_options o = options;
        if (bad[i] != 1) {
            o.epochs = bad[i];
            check_learn(&o, csv_path, PKTSEQ_ERROR_ARGUMENT, "epochs");
            o = options;
            o.false_positive_rate = bad[i];
            check_learn(&o, csv_path, PKTSEQ_ERROR_ARGUMENT, "false_positive_rate");
            o = options;
        }
        o.hold_out = bad[i];
        check_learn(&o, csv_path, PKTSEQ_ERROR_ARGUMENT, "hold_out");
        o = options;
        o.context = bad[i];
        if (bad[i] != -1) check_learn(&o, csv_path, PKTSEQ_ERROR_ARGUMENT, "context");
    }
    check_learn(NULL, NULL, PKTSEQ_ERROR_ARGUMENT, "path");
    check_learn(NULL, "/no/such/file", PKTSEQ_ERROR_FILE, "/no/such/file");
    check_learn(NULL, model_path, PKTSEQ_ERROR_DATA, model_path);
    make_traffic(3, 40, 1);
    check_learn(NULL, csv_path, PKTSEQ_ERROR_DATA, "attack");
    make_traffic(3, 1, 0);
    check_learn(NULL, csv_path, PKTSEQ_ERROR_DATA, csv_path);
    make_traffic(3, 40, 0);

    memset(&guard, 0, sizeof guard);
    CHECK(pktseq_guard_learn(NULL, csv_path, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_load(NULL, model_path, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_save(&guard, model_path, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_watch(&guard, &p, &err) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
    CHECK(pktseq_guard_score(&guard, csv_path, on_nothing, &calls, &err) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_guard_tick(&guard, 1);
    CHECK(is_zero(&guard, sizeof guard));
    memset(&guard, 0x5a, sizeof guard);
    CHECK(pktseq_guard_load(&guard, csv_path, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK(is_zero(&guard, sizeof guard));

    CHECK_THAT(!pktseq_guard_load(&guard, model_path, NULL, &err), "%s", err.text);
    CHECK(pktseq_guard_score(&guard, "/no/such/file", on_nothing, &calls, &err) ==
          PKTSEQ_ERROR_FILE);
    CHECK(pktseq_guard_score(&guard, csv_path, NULL, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_score(&guard, model_path, on_nothing, &calls, &err) == PKTSEQ_ERROR_DATA);
    CHECK(says(&err, model_path) && calls == 0);
    CHECK(pktseq_guard_save(&guard, "/no/such/folder/x", &err) == PKTSEQ_ERROR_FILE);
    p.time = (double)NAN;
    CHECK(pktseq_guard_watch(&guard, &p, &err) == PKTSEQ_ERROR_ARGUMENT && says(&err, "time"));
    p = packet[0];
    p.protocol = NULL;
    CHECK(pktseq_guard_watch(&guard, &p, &err) == PKTSEQ_ERROR_ARGUMENT && says(&err, "protocol"));
    p = packet[0];
    CHECK(pktseq_guard_watch(&guard, &p, &err) == PKTSEQ_OK && guard.watcher.tracker.packets == 1);
    // A checkpoint without what tells normal scores is enough with a threshold of one's own, one
    // without a codec never.
    CHECK(!pktseq_save(&guard.model, &guard.codec, NULL, NULL, model_path, &err));
    pktseq_guard_free(&guard);
    CHECK(pktseq_guard_load(&guard, model_path, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "normal") && is_zero(&guard, sizeof guard), "%s", err.text);
    options.threshold = 3;
    CHECK_THAT(!pktseq_guard_load(&guard, model_path, &options, &err), "%s", err.text);
    CHECK_THAT(!pktseq_guard_score(&guard, csv_path, on_nothing, &calls, &err), "%s", err.text);
    CHECK(calls == 40 && !guard.detector.sequences);
    CHECK_THAT(!pktseq_guard_watch(&guard, &p, &err), "%s", err.text);
    CHECK(!pktseq_save(&guard.model, NULL, NULL, NULL, model_path, &err));
    pktseq_guard_free(&guard);
    CHECK(pktseq_guard_load(&guard, model_path, &options, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "codec") && is_zero(&guard, sizeof guard), "%s", err.text);
}

int main(int argc, char **argv) {
    (void)argc;
    sprintf(csv_path, "%.1000s.csv", argv[0]);
    sprintf(model_path, "%.1000s.safetensors", argv[0]);
    test_path();
    test_options();
    test_recipe();
    test_calibrate_again();
    test_again();
    make_traffic(1, CONNECTIONS, 10);
    test_failures();
    remove(csv_path);
    remove(model_path);
    return check_end("test_short");
}
