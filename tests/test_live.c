// test_live.c - what detect does while packets come: identifiers, addresses, rules, incidents, JSON.
#define PKTSEQ_NO_SIMD
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "../examples/output.h"
#include "../examples/live.h"
#include "check.h"

static live l;

static pktseq_alarm alarm_of(const char *src, unsigned sport, const char *dst, unsigned dport,
                             unsigned transport) {
    pktseq_alarm a;
    memset(&a, 0, sizeof a);
    CHECK(live_address_parse(src, a.src) && live_address_parse(dst, a.dst));
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
        live_community_id(&a, text);
        CHECK_THAT(strcmp(text, example[i].id) == 0, "%s, not %s", text, example[i].id);
        memcpy(b.src, a.dst, 16);
        memcpy(b.dst, a.src, 16);
        b.src_port = a.dst_port;
        b.dst_port = a.src_port;
        if (a.icmp_type) b.icmp_type = a.transport == 1 ? 0 : 136;
        live_community_id(&b, text);
        CHECK_THAT(strcmp(text, example[i].id) == 0, "%s, not %s", text, example[i].id);
    }
}

// Addresses as they are written, and what is none.
static void test_addresses(void) {
    static const char *const good[] = {"10.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                                       "1:2:3:4:5:6:7:8", "fe80::", "1::8", "0.0.0.0"};
    static const char *const bad[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1.", "1:2:3", "1:2:3:4:5:6:7:8:9",
                                      ":1", "1:", "1::2::3", "12345::", "g::", "1:-2::", "host"};
    unsigned char a[16], b[16];
    char text[46];
    for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
        CHECK_THAT(live_address_parse(good[i], a), "%s", good[i]);
        pktseq_address_text(text, a);
        CHECK_THAT(strcmp(text, good[i]) == 0, "%s, not %s", text, good[i]);
        live_address(good[i], b);
        CHECK(memcmp(a, b, 16) == 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        CHECK_THAT(!live_address_parse(bad[i], a), "%s", bad[i]);
    live_address("host", a);
    live_address("hosu", b);
    CHECK(a[0] == 0xfd && memcmp(a, b, 16) != 0);
    live_address("host", b);
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
    CHECK(live_rules_read(&l, path) == 0 && l.rules == 4);
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
            CHECK_THAT(live_ignores(&l, &a) == try_it[i].ignored, "%s > %s", try_it[i].src,
                       try_it[i].dst);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        file = fopen(path, "w");
        if (!file) return;
        fputs(wrong[i], file);
        fclose(file);
        l.rules = 0;
        CHECK_THAT(live_rules_read(&l, path) == line[i], "%s", wrong[i]);
    }
    remove(path);
    CHECK(live_rules_read(&l, path) == -1);
    l.rules = 0;
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
                 {"10.0.0.1", "10.0.0.2", 170.5, 4}, {"10.0.0.3", "10.0.0.5", 120, 2}};
    for (size_t i = 0; i < sizeof story / sizeof *story; ++i) {
        pktseq_alarm a = alarm_of(story[i].src, 1, story[i].dst, 2, 17);
        const live_incident *incident;
        a.time = story[i].time;
        a.score = 1 + (double)i;
        incident = live_incident_of(&l, &a);
        CHECK_THAT(incident->number == story[i].number, "alarm %lu: incident %lu",
                   (unsigned long)i, (unsigned long)incident->number);
        CHECK(incident->score == a.score && incident->last == a.time);
    }
    CHECK(l.incident[1].many && !l.incident[0].many && l.incident[1].alarms == 3);
    for (size_t i = 0; i < 3 * LIVE_INCIDENTS; ++i) {  // no more memory than there is
        pktseq_alarm a = alarm_of("10.0.0.1", 1, "10.0.0.2", 2, 17);
        a.time = 1000 + 100 * (double)i;
        CHECK(live_incident_of(&l, &a)->number == 5 + i);
    }
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
    live_print_json(file, &a, 7);
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

int main(void) {
    test_community_id();
    test_addresses();
    test_ignore();
    test_incidents();
    test_json();
    return check_end("test_live");
}
