// make_seeds.c - writes the first seeds of the fuzz targets to tests/fuzz/seeds/<target>/.
//
// cc tests/fuzz/make_seeds.c -o build/make_seeds -lm && ./build/make_seeds tests/fuzz/seeds
// The folders must be there. What crashed once lies beside them under another name.
#include "fuzz.h"

#define HEAD "timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg,ack," \
             "push,reset,syn,fin"
#define EXPORT "\"No.\",\"Time\",\"Source\",\"Destination\",\"Protocol\",\"Length\"," \
               "\"Source port\",\"Dest port\",\"Reserved\",\"Nonce\"," \
               "\"Congestion Window Reduced (CWR)\",\"ECN-Echo\",\"Urgent\",\"Acknowledgment\"," \
               "\"Push\",\"Reset\",\"Syn\",\"Fin\"\n"
#define TSHARK "frame.number;frame.time_relative;ip.src;ipv6.src;ip.dst;ipv6.dst;" \
               "_ws.col.Protocol;frame.len;tcp.srcport;tcp.dstport;tcp.flags\r\n"

static const char *folder;

static void put(const char *target, const char *name, const void *data, size_t size) {
    char path[400];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
        fprintf(stderr, "%s cannot be written\n", path);
        exit(1);
    }
}

// The options byte, then the text.
static void put_text(const char *target, const char *name, unsigned option, const char *text) {
    size_t size = strlen(text);
    unsigned char *all = (unsigned char *)malloc(size + 1);
    if (!all) exit(3);
    all[0] = (unsigned char)option;
    memcpy(all + 1, text, size);
    put(target, name, all, size + 1);
    free(all);
}

// Packets of a few conversations, one row each, in one of three dialects.
static void packets(char *text, size_t room, int dialect, size_t rows) {
    static const char *const who[] = {"10.0.0.1", "10.0.0.2", "192.168.7.9", "fe80::1"};
    static const char *const protocol[] = {"TCP", "SMTP/IMF", "HTTP", "FTP", "TELNET"};
    size_t used = (size_t)snprintf(text, room, "%s", dialect == 0   ? "position," HEAD "\n"
                                                     : dialect == 1 ? EXPORT
                                                                    : TSHARK);
    for (size_t i = 0; i < rows; ++i) {
        const char *from = who[i * 7 % 5 % 4], *to = who[(i * 7 % 5 + 1 + i % 2) % 4];
        const char *set = "\"Set\"", *not_set = "\"Not set\"";
        double time = (double)(i * i % 17) / 7 + (double)i / 3;
        unsigned length = (unsigned)(54 + i * 131 % 1460), ports[2];
        ports[0] = (unsigned)(i % 3 ? 443 : 50000 + i);
        ports[1] = (unsigned)(i % 3 ? 50000 + i / 3 * 3 : 25);
        if (dialect == 0)
            used += (size_t)snprintf(text + used, room - used,
                                     "%u,%.6f,%s,%s,%s,%u,%u,%u,0,0,0,0,0,%u,%u,%u,%u,0\n",
                                     (unsigned)(i % 5), time, from, to, protocol[i % 5], length,
                                     ports[0], ports[1], (unsigned)(i % 4 > 0), (unsigned)(i & 1),
                                     (unsigned)(i % 7 == 6), (unsigned)(i % 4 == 0));
        else if (dialect == 1)
            used += (size_t)snprintf(text + used, room - used,
                                     "\"%u\",\"%.6f\",\"%s\",\"%s\",\"%s\",\"%u\",\"%u\",\"%u\",%s,"
                                     "%s,%s,%s,%s,%s,%s,%s,%s,%s\n",
                                     (unsigned)i + 1, time, from, to, protocol[i % 5], length,
                                     ports[0], ports[1], not_set, not_set, not_set, not_set,
                                     not_set, i % 4 ? set : not_set, i & 1 ? set : not_set,
                                     i % 7 == 6 ? set : not_set, i % 4 ? not_set : set, not_set);
        else
            used += (size_t)snprintf(text + used, room - used,
                                     "%u;%.6f;%s;%s;\"%s%s\";%s;%s;%u;%u;%u;0x%04x\r\n",
                                     (unsigned)i + 1, time, from[0] == 'f' ? "" : from,
                                     from[0] == 'f' ? from : "", to[0] == 'f' ? "" : to,
                                     i % 6 == 5 ? ",10.9.9.9" : "", to[0] == 'f' ? to : "",
                                     protocol[i % 5], length, ports[0], ports[1],
                                     (unsigned)(i * 37 % 512));
    }
}

static void csv_seeds(void) {
    static char text[20000];
    for (int dialect = 0; dialect < 3; ++dialect) {
        for (unsigned schema = 0; schema < 4; ++schema) {
            char name[40];
            snprintf(name, sizeof name, "dialect%d_schema%u", dialect, schema);
            packets(text, sizeof text, dialect, 12);
            put_text("csv", name, 0x40 | schema | (schema * 3 + (unsigned)dialect) % 8 << 2, text);
            packets(text, sizeof text, dialect, schema == 2 ? 40 : 16);
            put_text("dataset", name, 0x40 | schema | (unsigned)(dialect + 1) << 2 |
                                          (schema & 1) << 4 | (schema == 2 ? 32 : 0), text);
        }
    }
    put_text("csv", "fails", 0x80, "\xef\xbb\xbf" HEAD "\n0,a,b,TCP,60,1,2,0,0,0,0,0,0,0,0,0,0\n");
    put_text("csv", "quotes", 0x43,
             "\"length\",\"pro\"\"to\",\"label\"\n\n\r1,\"a\nb\",\"\"\"\"\r\r");
    put_text("csv", "open", 0x44, "position,\"timestamp\n1,2");
}

static void number_seeds(void) {
    static const char *const text[] = {
        "0", "-0.0", "1.5", "65535", "9007199254740993", "1e22", "1e23", ".1e-5", "8.5e22",
        "1.7976931348623158e308", "1.7976931348623159e308", "2.2250738585072011e-308",
        "4.9406564584124654e-324", "2.4703282292062328e-324", "123456.789012,", "1e",
        "6929495644600919.5", "62950694804459.65e41", "00000000000000000000.00000000000000000001",
        "1.00000000000000011102230246251565404236316680908203126"};
    for (size_t i = 0; i < sizeof text / sizeof *text; ++i) {
        char name[40];
        snprintf(name, sizeof name, "text%02u", (unsigned)i);
        put("number", name, text[i], strlen(text[i]));
    }
}

// A trained model of a few units, its codec, and a detector; the packets are those of above.
static void checkpoint_seeds(void) {
    static char text[20000];
    static const char *const what[] = {"weights", "codec", "training", "detector"};
    for (unsigned kind = 0; kind < 4; ++kind) {
        pktseq_field field[FUZZ_FIELDS];
        pktseq_schema schema = fuzz_schema(kind == 3 ? 2 : kind == 1 ? 3 : 0, field);
        plan how;
        parts p;
        pktseq_status status;
        pktseq_error err;
        double weight[FUZZ_FIELDS];
        unsigned char *all;
        memset(&p, 0, sizeof p);
        packets(text, sizeof text, kind == 1 ? 2 : 0, kind == 3 ? 200 : 60);
        schema.constant_is_zero = 1;
        if (kind == 0) schema.field += 1, schema.field_count = 2;
        how = plan_of(schema, 1 + kind / 2, 1);
        how.dataset.inputs = kind;
        how.dataset.start = kind & 1 ? PKTSEQ_START_INPUT : PKTSEQ_START_TARGET;
        how.loss = kind == 3 ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
        how.train = run_of(kind > 1 ? 5 : 0, 2, 1e-4, kind == 2 ? 0.5 : 0, kind == 2);
        how.train.loss_interval = 2;
        how.train.order = kind == 2 ? PKTSEQ_ORDER_SHUFFLED : PKTSEQ_ORDER_FILE;
        status = parts_parse(&p, &how, text, strlen(text), &err);
        how.detector = pktseq_detector_options_recommended(&p.codec, weight);
        if (!status) status = parts_learn(&p, &how, &err);
        if (!status && kind > 2) status = parts_fit(&p, &how, &err);
        if (!status)
            status = pktseq_save_mem(&p.model, kind ? &p.codec : NULL, &p.training, &p.detector,
                                     &p.file, NULL, &err);
        if (status) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        put("resume", what[kind], p.file.data, p.file.size);
        all = (unsigned char *)malloc(p.file.size + 1);
        if (!all) exit(3);
        memcpy(all + 1, p.file.data, p.file.size);
        for (unsigned repair = 0; repair < 2; ++repair) {
            char name[40];
            snprintf(name, sizeof name, "%s%s", what[kind], repair ? "_repaired" : "");
            all[0] = (unsigned char)(repair + 2 * kind);
            put("load", name, all, p.file.size + 1);
        }
        free(all);
        parts_free(&p);
    }
}

// Random programs for the target that calls the API.
static void api_seeds(void) {
    unsigned char program[160];
    uint64_t z = 5;
    for (unsigned i = 0; i < 8; ++i) {
        char name[40];
        for (size_t k = 0; k < sizeof program; ++k) {
            z = z * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            program[k] = (unsigned char)(z >> 56);
        }
        snprintf(name, sizeof name, "random%u", i);
        put("api", name, program, sizeof program);
    }
}

int main(int argc, char **argv) {
    folder = argc > 1 ? argv[1] : "tests/fuzz/seeds";
    csv_seeds();
    number_seeds();
    checkpoint_seeds();
    api_seeds();
    return 0;
}

// Not for a fuzzer; fuzz.h declares it.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return (void)data, (int)(size & 0); }
