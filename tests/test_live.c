// test_live.c - examples/alarm.h and live.h: what detect does while packets come: identifiers,
// addresses, rules, incidents, JSON.
#ifndef PKTSEQ_NO_SIMD
#define PKTSEQ_NO_SIMD
#endif
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "../examples/output.h"
#include "../examples/alarm.h"
#include "../examples/live.h"
#include "check.h"

static alarm_rules rules;

static pktseq_alarm alarm_of(const char *src, unsigned sport, const char *dst, unsigned dport,
                             unsigned transport) {
    pktseq_alarm a;
    memset(&a, 0, sizeof a);
    CHECK(alarm_address_parse(src, a.src) && alarm_address_parse(dst, a.dst));
    a.transport = (uint8_t)transport;
    a.src_port = (uint16_t)sport;
    a.dst_port = (uint16_t)dport;
    if (transport == 1 || transport == 58) {
        a.icmp_type = (uint8_t)sport;
        a.icmp_code = (uint8_t)dport;
        a.src_port = a.dst_port = 0;
    }
    return a;
}

// The examples that the specification publishes, and the other direction of each.
static void test_community_id(void) {
    static const struct {
        const char *src, *dst;
        unsigned sport, dport, transport;
        const char *id;
    } example[] = {
        {"128.232.110.120", "66.35.250.204", 34855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
        {"192.168.1.52", "8.8.8.8", 54585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
        {"192.168.0.89", "192.168.0.1", 8, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
        {"fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0, 58,
         "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
        {"192.168.170.8", "192.168.170.56", 7, 80, 132, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="}};
    for (size_t i = 0; i < sizeof example / sizeof *example; ++i) {
        pktseq_alarm a = alarm_of(example[i].src, example[i].sport, example[i].dst,
                                  example[i].dport, example[i].transport), b = a;
        char text[32];
        alarm_community_id(&a, text);
        CHECK_THAT(strcmp(text, example[i].id) == 0, "%s, not %s", text, example[i].id);
        memcpy(b.src, a.dst, 16);
        memcpy(b.dst, a.src, 16);
        b.src_port = a.dst_port;
        b.dst_port = a.src_port;
        if (a.icmp_type) b.icmp_type = a.transport == 1 ? 0 : 136;
        alarm_community_id(&b, text);
        CHECK_THAT(strcmp(text, example[i].id) == 0, "%s, not %s", text, example[i].id);
    }
}

// Addresses as they are written, and what is none.
static void test_addresses(void) {
    static const char *const good[] = {"10.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                                       "1:2:3:4:5:6:7:8", "fe80::", "1::8", "0.0.0.0"};
    static const char *const bad[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1.", "1:2:3",
                                      "1:2:3:4:5:6:7:8:9",
                                      ":1", "1:", "1::2::3", "12345::", "g::", "1:-2::", "host"};
    unsigned char a[16], b[16];
    char text[46];
    for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
        CHECK_THAT(alarm_address_parse(good[i], a), "%s", good[i]);
        pktseq_address_text(a, text);
        CHECK_THAT(strcmp(text, good[i]) == 0, "%s, not %s", text, good[i]);
        alarm_address(good[i], b);
        CHECK(memcmp(a, b, 16) == 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        CHECK_THAT(!alarm_address_parse(bad[i], a), "%s", bad[i]);
    alarm_address("host", a);
    alarm_address("hosu", b);
    CHECK(a[0] == 0xfd && memcmp(a, b, 16) != 0);
    alarm_address("host", b);
    CHECK(memcmp(a, b, 16) == 0);
}

// What is ignored, and which line is wrong.
static void test_ignore(void) {
    static const char *const wrong[] = {"10.0.0.1\nport x\n", "\n\n10.0.0.0/\n", "10.0.0.0/33\n",
                                        "a\n", "1.2.3.4 1.2.3.5 1.2.3.6\n", "port 123456\n"};
    static const int line[] = {2, 3, 1, 1, 1, 1};
    const char *path = "build/test_live.rules";
    FILE *file = fopen(path, "w");
    CHECK_THAT(file, "%s cannot be written", path);
    if (!file) return;
    fputs("# nothing\n10.1.0.0/16 # a network\nport 53\n192.0.2.1 198.51.100.0/24\n2001:db8::/33\n",
          file);
    fclose(file);
    CHECK(alarm_rules_read(&rules, path) == 0 && rules.count == 4);
    {
        static const struct {
            const char *src, *dst;
            unsigned dport;
            int ignored;
        } try_it[] = {{"10.1.2.3", "8.8.8.8", 80, 1},     {"8.8.8.8", "10.1.255.255", 80, 1},
                      {"10.2.0.0", "8.8.8.8", 80, 0},     {"10.2.0.0", "8.8.8.8", 53, 1},
                      {"192.0.2.1", "198.51.100.9", 1, 1}, {"198.51.100.9", "192.0.2.1", 1, 1},
                      {"192.0.2.1", "8.8.8.8", 1, 0},     {"2001:db8:7fff::1", "::1", 1, 1},
                      {"2001:db8:8000::1", "::1", 1, 0}};
        for (size_t i = 0; i < sizeof try_it / sizeof *try_it; ++i) {
            pktseq_alarm a = alarm_of(try_it[i].src, 4000, try_it[i].dst, try_it[i].dport, 6);
            CHECK_THAT(alarm_ignored(&rules, &a) == try_it[i].ignored, "%s > %s", try_it[i].src,
                       try_it[i].dst);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        file = fopen(path, "w");
        if (!file) return;
        fputs(wrong[i], file);
        fclose(file);
        rules.count = 0;
        CHECK_THAT(alarm_rules_read(&rules, path) == line[i], "%s", wrong[i]);
    }
    remove(path);
    CHECK(alarm_rules_read(&rules, path) == -1);
    rules.count = 0;
}

// Alarms between two addresses, in either direction, and from one source to many, within a minute.
static void test_incidents(void) {
    static const struct {
        const char *src, *dst;
        double time;
        size_t number;
    } story[] = {{"10.0.0.1", "10.0.0.2", 0, 1},    {"10.0.0.2", "10.0.0.1", 50, 1},
                 {"10.0.0.3", "10.0.0.2", 51, 2},   {"10.0.0.3", "10.0.0.4", 60, 2},
                 {"10.0.0.4", "10.0.0.3", 61, 3},   {"10.0.0.1", "10.0.0.2", 110, 1},
                 {"10.0.0.1", "10.0.0.2", 171, 4}, {"10.0.0.3", "10.0.0.5", 120, 2}};
    static incidents all;
    char text[128], line[1024];
    FILE *file = tmpfile();
    all.limit = INCIDENT_RECENT;
    for (size_t i = 0; i < sizeof story / sizeof *story; ++i) {
        pktseq_alarm a = alarm_of(story[i].src, 1, story[i].dst, 2, 17);
        const incident *x;
        a.time = story[i].time;
        a.begin = a.time - 0.5;
        a.score = 1 + (double)i;
        x = incident_add(&all, &a);
        CHECK_THAT(x->number == story[i].number, "alarm %lu: incident %lu", (unsigned long)i,
                   (unsigned long)x->number);
        CHECK(x->highest.score == a.score && x->last == a.time);
    }
    CHECK(all.list[0].hosts == 1 && all.list[1].hosts == 3 && all.list[1].sequences == 3);
    incident_ends(&all.list[1], "10.0.0.3", "x", text);
    CHECK_THAT(strcmp(text, "10.0.0.3 -> 3 hosts") == 0, "%s", text);
    incident_ends(&all.list[0], "a", "b", text);
    CHECK_THAT(strcmp(text, "a -> b") == 0, "%s", text);
    if (file) {
        incident_put_json(file, &all.list[0], 0.5);
        rewind(file);
        line[fread(line, 1, sizeof line - 1, file)] = 0;
        fclose(file);
        CHECK_THAT(strcmp(line, "{\"timestamp\":\"1970-01-01T00:01:50.000000+0000\",\"event_type\":"
                                "\"incident\",\"time\":110.000000,\"begin\":-0.500000,\"src_ip\":"
                                "\"10.0.0.1\",\"dest_ip\":\"10.0.0.2\",\"hosts\":1,\"sequences\":3,"
                                "\"score\":6,\"threshold\":0.5,\"incident\":1,"
                                "\"reasons\":[]}\n") == 0,
                   "%s", line);
    }
    for (size_t i = 0; i < 3 * INCIDENT_RECENT; ++i) {  // no more memory than there is
        pktseq_alarm a = alarm_of("10.0.0.1", 1, "10.0.0.2", 2, 17);
        a.begin = a.time = 1000 + 100 * (double)i;
        CHECK(incident_add(&all, &a)->number == 5 + i);
    }
    CHECK(all.capacity == INCIDENT_RECENT);
    for (unsigned i = 0; i < 2 * INCIDENT_HOSTS; ++i) {  // nor more hosts
        char dst[32];
        pktseq_alarm a;
        sprintf(dst, "10.1.%u.%u", i / 256, i % 256);
        a = alarm_of("10.0.0.9", 1, dst, 2, 6);
        a.begin = a.time = 1e6;
        CHECK(incident_add(&all, &a)->sequences == i + 1);
    }
    CHECK(incident_sort(&all) == INCIDENT_RECENT);
    for (size_t i = 1; i < INCIDENT_RECENT; ++i)
        CHECK(all.list[i - 1].highest.score >= all.list[i].highest.score);
    for (size_t i = 0; i < INCIDENT_RECENT; ++i)
        if (all.list[i].hosts > 1) incident_ends(&all.list[i], "c", "", text);
    CHECK_THAT(strcmp(text, "c -> 256 hosts or more") == 0, "%s", text);
    free(all.list);
}

// Tokens are told in words: arrows for directions, lengths in bytes, no sign for no flags.
static void test_reasons(void) {
    static const char *const words[2][3] = {  // expected, seen, what is told
        {"TCP > ack <61 after < ack+syn", "TCP < >= a<b first",
         "token 50 %: packet 3 expected TCP -> ack (under 61 bytes) after <- ack+syn, seen TCP <- "
         ">= a<b first of its connection"},
        {"UDP > - 150-299 after < -", "ICMP < 8/0 1300+ first",
         "token 50 %: packet 3 expected UDP -> (150 to 299 bytes) after <-, seen ICMP <- 8/0 (1300 "
         "bytes or more) first of its connection"}};
    pktseq_reason r;
    char text[512];
    memset(&r, 0, sizeof r);
    r.column = "token";
    r.share = 0.5;
    r.packet = 3;
    for (int k = 0; k < 2; ++k) {
        strcpy(r.expected, words[k][0]);
        strcpy(r.seen, words[k][1]);
        reason_text(&r, text);
        CHECK_THAT(strcmp(text, words[k][2]) == 0, "%s", text);
    }
    strcpy(r.expected, "about 1300+ a-b");  // of no token
    strcpy(r.seen, "<61 - first");
    reason_text(&r, text);
    CHECK_THAT(strstr(text, "expected about 1300+ a-b, seen <61 - first"), "%s", text);
    memset(r.seen, '<', sizeof r.seen - 1);
    for (size_t i = 1; i < sizeof r.seen - 1; i += 2) r.seen[i] = ' ';
    reason_text(&r, text);
    CHECK(strlen(text) > 60);
}

// One line of JSON, whatever the texts hold.
static void test_json(void) {
    pktseq_alarm a = alarm_of("2001:db8::1", 4000, "10.0.0.2", 53, 17);
    char line[2048], *end;
    FILE *file = tmpfile();
    size_t size;
    if (!file) return;
    a.time = 1577934245.25;
    a.packets = 8;
    a.bytes = 812;
    a.score = 1.5;
    a.threshold = 1.25;
    strcpy(a.protocol, "D\"N\\S\n\xff\xc3\xa9");
    a.reasons = 1;
    a.reason[0].column = "token";
    a.reason[0].share = 0.5;
    a.reason[0].packet = 3;
    strcpy(a.reason[0].expected, "x");
    strcpy(a.reason[0].seen, "y");
    alarm_put_json(file, &a, 7);
    rewind(file);
    size = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[size] = 0;
    end = strchr(line, '\n');
    CHECK(end && !end[1]);
    CHECK_THAT(strstr(line, "{\"timestamp\":\"2020-01-02T03:04:05.250000+0000\",") == line, "%s",
               line);
    CHECK_THAT(strstr(line, "\"app_proto\":\"D\\\"N\\\\S\\u000a?\xc3\xa9\""), "%s", line);
    CHECK(strstr(line, "\"src_ip\":\"2001:db8::1\",\"src_port\":4000,\"dest_ip\":\"10.0.0.2\""));
    CHECK(strstr(line, "\"proto\":\"UDP\"") && strstr(line, "\"incident\":7") &&
          strstr(line, "\"packets\":8,\"bytes\":812,\"score\":1.5,\"threshold\":1.25"));
}

// The verdict in words: only what is beyond its limit is named, the unknown ports in any case.
static void test_verdict(void) {
    pktseq_verdict v;
    char text[768];
    CHECK(strstr(verdict_text(text, NULL, 0.01), "keeps no distribution of normal scores"));
    memset(&v, 0, sizeof v);
    CHECK(strstr(verdict_text(text, &v, 0.01), "fewer than 100 sequences"));
    v.judged = 1;
    v.above = 0.13;
    v.above_limit = 0.039;
    v.unknown = 0.3;
    v.name = "UDP/443";
    v.name_share = 0.61;
    CHECK(strcmp(verdict_text(text, &v, 0.01),
                 "as calibrated: 13 % above the threshold, where 1 % is expected") == 0);
    CHECK(strcmp(verdict_text(text, &v, -1), "as calibrated") == 0);
    v.drifted = PKTSEQ_DRIFT_ABOVE;
    CHECK_THAT(strstr(verdict_text(text, &v, 0.01),
                      "other traffic than it was calibrated on: 13 % above the threshold where 1 % "
                      "was expected (up to 3.9 % would be chance); unknown most often: UDP/443 61 "
                      "%; if it is no attack") == text, "%s", text);
    // a share that is too small to be judged is said to be, and not passed over
    v.above_limit = 1.5;
    v.drifted = 0;
    CHECK_THAT(strstr(verdict_text(text, &v, 0.0001), "13 % above the threshold, where 0.01 % is "
                      "expected; the model has seen too few sequences"), "%s", text);
    v.drifted = PKTSEQ_DRIFT_SCORES;
    CHECK_THAT(strstr(verdict_text(text, &v, 0.0001), "13 % above the threshold, where 0.01 % is "
                      "expected, is not judged"), "%s", text);
    v.above_limit = 0.039;
    v.drifted = PKTSEQ_DRIFT_UNKNOWN | PKTSEQ_DRIFT_SCORES;
    CHECK_THAT(strstr(verdict_text(text, &v, 0.01), "on: 30 % of the packets unknown to it where "
                      "0 % were; unknown most often: UDP/443 61 %; scores distributed otherwise"),
               "%s", text);
}

static live l;

// Returns what a verdict looks like in a file of its own.
static const char *put_verdict(int drifted, int json, char line[2048]) {
    pktseq_verdict v;
    FILE *file = tmpfile();
    size_t size;
    memset(&v, 0, sizeof v);
    line[0] = 0;
    if (!file) return line;
    v.judged = 1;
    v.drifted = drifted ? (unsigned)PKTSEQ_DRIFT_ABOVE : 0u;
    v.above = 0.13;
    v.expected = l.rate = 0.01;
    v.name = "";
    l.json = json;
    l.now = 1577934245.25;
    live_put_verdict(&l, file, &v);
    rewind(file);
    size = fread(line, 1, 2047, file);
    fclose(file);
    line[size] = 0;
    l.json = 0;
    return line;
}

// When traffic becomes another one, and when that is over, as text and as JSON.
static void test_drift_lines(void) {
    char line[2048];
    put_verdict(1, 0, line);
    CHECK_THAT(strstr(line, "  verdict  other traffic than it was calibrated on: 13 % above the "
                            "threshold where 1 % was expected"), "%s", line);
    put_verdict(0, 0, line);
    CHECK_THAT(strstr(line, "  verdict  again as calibrated: 13 %"), "%s", line);
    put_verdict(1, 1, line);
    CHECK_THAT(strstr(line, "{\"timestamp\":\"2020-01-02T03:04:05.250000+0000\",\"event_type\":"
                            "\"drift\",\"time\":1577934245.250000,\"drift\":{\"drifted\":true,"
                            "\"above\":0.13,\"above_expected\":0.01,") == line, "%s", line);
}

// Other traffic is said once, and so is its end; in between nothing is printed.
static void test_judge(void) {
    static pktseq_guard guard;
    pktseq_detector *d = &guard.detector;
    static const int step[][2] = {{300, 0}, {300, 1}, {300, 1}, {4000, 0}, {300, 0}};
    static const int said[] = {0, 1, 1, 2, 2};
    static char line[4096];
    FILE *file = tmpfile();
    if (!file) return;
    d->sequences = 1000;
    d->dispersion = 1;
    for (int k = 0; k < PKTSEQ_QUANTILES; ++k) d->scores.quantile[k] = k;
    l.print = file;
    l.guard = &guard;
    l.rate = 0.01;
    guard.watcher.drift.window = 500;
    for (size_t i = 0; i < sizeof step / sizeof *step; ++i) {
        size_t size, lines = 0;
        for (int n = 0; n < step[i][0]; ++n, ++guard.watcher.sequences) {
            int other = step[i][1] && n % 2;
            CHECK(!pktseq_drift_add(&guard.watcher.drift, d, n * 29 % 65, other, 5, 0));
            live_judge(&l);
        }
        rewind(file);
        size = fread(line, 1, sizeof line - 1, file);
        for (size_t k = 0; k < size; ++k) lines += line[k] == '\n';
        CHECK_THAT(lines == (size_t)said[i] && l.drifted == (said[i] == 1), "%lu lines after %lu",
                   (unsigned long)lines, (unsigned long)i);
    }
    CHECK(!l.failed);
    fclose(file);
}

int main(void) {
    test_community_id();
    test_addresses();
    test_ignore();
    test_incidents();
    test_reasons();
    test_json();
    test_verdict();
    test_drift_lines();
    test_judge();
    return check_end("test_live");
}
