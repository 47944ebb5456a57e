// cc -O2 examples/sequences.c -lm -o sequences && ./sequences EXPORT.csv --out SEQS.csv
// Prints how many packets went where, and writes one row per packet, position 0 begins a sequence.
//
// Cuts a capture that Wireshark or tshark has exported as CSV into sequences, as `train` and
// `detect` do by themselves. `sequences --help` has the tshark command and the options.

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "sequences [options] EXPORT.csv\n"
    "\n"
    "Cuts a capture into sequences: one begins with a packet, the next three join, and more while\n"
    "they come from or go to the first packet's source, at most one second after it. Reads\n"
    "Wireshark's CSV export of the packet list (with columns for ports and flags), and tshark's\n"
    "fields, best with this command:\n"
    "\n"
    "  tshark -r capture.pcap -Y tcp -T fields -E header=y -E separator=, -E quote=d \\\n"
    "    -e frame.number -e frame.time_relative -e ip.src -e ipv6.src -e ip.dst -e ipv6.dst \\\n"
    "    -e _ws.col.Protocol -e frame.len -e tcp.srcport -e tcp.dstport -e tcp.flags >export.csv\n"
    "\n"
    "(tshark from 4.2 on: _ws.col.protocol.) Packets that are not TCP are skipped. Of several\n"
    "values in a cell, as tshark writes them for tunnelled packets, the last is taken, the\n"
    "innermost packet's. All are counted.\n"
    "\n"
    "  --out SEQS.csv    where the sequences go (standard output)\n"
    "  --min N           packets that join whatever they are, and the fewest of a sequence (4)\n"
    "  --max N           the most (320)\n"
    "  --window X        seconds after the first packet in which others join (1.0)\n"
    "  --notebook        as the reference: FINGER, FTP, FTP-DATA and TIME are left out, SMTP/IMF\n"
    "                    is SMTP\n"
    "  --separator C     between cells; \"tab\" is one (found out from the first line)\n"
    "  --quiet           print nothing but errors\n"
    "  --help            this text\n";

// The columns that are written, in this order; flags and ports are numbers.
static const char *const written[] = {
    "No.", "timestamp", "src_ip", "dst_ip", "protocol", "length", "src_port", "dst_port", "res",
    "ns",  "cwr",       "ecn",    "urg",    "ack",      "push",   "reset",    "syn",      "fin",
    "label"};
enum { COLUMNS = sizeof written / sizeof *written };

// Every error ends here: one sentence, exit code 1.
static int fail(const char *format, const char *a, const char *b) {
    fprintf(stderr, "sequences: ");
    fprintf(stderr, format, a, b);
    fprintf(stderr, "\n");
    return 1;
}

// What the command line asks for.
typedef struct app {
    const char *in, *out;
    int quiet;
    pktseq_schema schema;
} app;

// One option with a value. NULL, or what was expected.
static const char *set_option(app *a, const char *name, const char *value) {
    char *end;
    double v = strtod(value, &end);
    int number = end != value && *end == 0 && v >= 0 && v <= 1e15;
    if (strcmp(name, "--out") == 0) {
        a->out = value;
        return value[0] ? NULL : "a name";
    }
    if (strcmp(name, "--separator") == 0) {
        a->schema.separator = strcmp(value, "tab") == 0 ? '\t' : value[0];
        return a->schema.separator && (value[1] == 0 || a->schema.separator == '\t')
                   ? NULL : "one character, or tab";
    }
    if (strcmp(name, "--window") == 0) {
        a->schema.rule.window = v;
        return number ? NULL : "seconds from 0";
    }
    if (!number || v < 1 || v != (double)(size_t)v) return "a whole number from 1";
    if (strcmp(name, "--min") == 0) a->schema.rule.least = (size_t)v;
    else a->schema.rule.most = (size_t)v;
    return NULL;
}

// Reads the command line. 0 = go on, 1 = wrong (said so), 2 = --help was asked for.
static int parse_options(app *a, int argc, char **argv) {
    static const char *const valued[] = {"--out", "--min", "--max", "--window", "--separator"};
    for (int i = 1; i < argc; ++i) {
        const char *name = argv[i], *expected;
        size_t known = 0;
        while (known < sizeof valued / sizeof *valued && strcmp(name, valued[known])) ++known;
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return 2;
        if (strcmp(name, "--quiet") == 0) {
            a->quiet = 1;
        } else if (strcmp(name, "--notebook") == 0) {
            a->schema.rule.notebook = 1;
        } else if (name[0] != '-') {
            if (a->in) return fail("found two files, %s and %s", a->in, name);
            a->in = name;
        } else if (known == sizeof valued / sizeof *valued) {
            return fail("unknown option %s; sequences --help lists them%s", name, "");
        } else if (i + 1 == argc) {
            return fail("option %s needs a value%s", name, "");
        } else {
            expected = set_option(a, name, argv[++i]);
            if (expected) {
                fprintf(stderr, "sequences: option %s: found \"%s\", expected %s\n", name, argv[i],
                        expected);
                return 1;
            }
        }
    }
    if (!a->in) return fail("expected EXPORT.csv; sequences --help says more%s%s", "", "");
    return 0;
}

// A number in as few digits as read back exactly.
static int put_number(FILE *file, double value) {
    char text[40];
    for (int digits = 15; digits <= 17; ++digits) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return fputs(text, file) >= 0;
}

// A cell of CSV, quoted where it must be (RFC 4180).
static int put_cell(FILE *file, const char *text) {
    int good;
    if (!strpbrk(text, ",\"\r\n")) return fputs(text, file) >= 0;
    good = fputc('"', file) != EOF;
    for (; *text && good; ++text)
        good = (*text != '"' || fputc('"', file) != EOF) && fputc(*text, file) != EOF;
    return good && fputc('"', file) != EOF;
}

// All rows; 0 as soon as something could not be written.
static int write_rows(FILE *file, const pktseq_table *table) {
    const pktseq_column *column[COLUMNS];
    int good = fputs("position", file) >= 0;
    for (size_t c = 0; c < COLUMNS; ++c) {
        column[c] = pktseq_table_column(table, written[c]);
        if (column[c] && good) good = fputc(',', file) != EOF && fputs(written[c], file) >= 0;
    }
    good = good && fputc('\n', file) != EOF;
    for (size_t s = 0; s < table->sequences && good; ++s)
        for (size_t row = table->start[s]; row < table->start[s + 1] && good; ++row) {
            good = fprintf(file, "%lu", (unsigned long)(row - table->start[s])) > 0;
            for (size_t c = 0; c < COLUMNS && good; ++c) {
                if (!column[c]) continue;
                good = fputc(',', file) != EOF &&
                       (column[c]->text ? put_cell(file, column[c]->names[column[c]->text[row]])
                                        : put_number(file, column[c]->number[row]));
            }
            good = good && fputc('\n', file) != EOF;
        }
    return good;
}

// To standard output, or by way of a temporary file, so that nothing half-written is left.
static int write_table(const app *a, const pktseq_table *table) {
    char path[4096];
    FILE *file;
    int length, good;
    if (!a->out)
        return write_rows(stdout, table) && fflush(stdout) == 0
                   ? 0 : fail("cannot write to standard output%s%s", "", "");
    length = snprintf(path, sizeof path, "%s.tmp", a->out);
    if (length < 0 || (size_t)length >= sizeof path)
        return fail("the name %s is too long%s", a->out, "");
    file = fopen(path, "wb");
    if (!file) return fail("cannot write %s%s", path, "");
    good = write_rows(file, table);
    if (fclose(file) != 0 || !good || rename(path, a->out) != 0) {
        remove(path);
        return fail("cannot write %s%s", a->out, "");
    }
    return 0;
}

static void print_line(FILE *to, size_t count, const char *what) {
    if (count) fprintf(to, "%10lu  %s\n", (unsigned long)count, what);
}

// Where the packets went, so that fewer rows than packets are never a riddle.
static void print_cut(const app *a, const pktseq_table *table) {
    const pktseq_cut *cut = &table->cut;
    FILE *to = a->out ? stdout : stderr;
    fprintf(to, "%10lu  packets in %s\n", (unsigned long)cut->packets, a->in);
    print_line(to, cut->not_tcp, "are not TCP: skipped");
    print_line(to, cut->dropped, "are FINGER, FTP, FTP-DATA or TIME: left out");
    print_line(to, cut->remainder, "at the end are too few for a sequence: left out");
    fprintf(to, "%10lu  are in %lu sequences, %.2f packets each\n", (unsigned long)table->rows,
            (unsigned long)table->sequences, (double)table->rows / (double)table->sequences);
    print_line(to, cut->renamed, "of these became SMTP");
    print_line(to, cut->clock_back, "times the clock jumped back");
    print_line(to, cut->many_values, "cells held several values: the last was taken");
    if (a->out) fprintf(to, "written to %s\n", a->out);
}

// A file that has positions already is cut anew: that is what was asked for.
static int cut_again(const app *a, pktseq_table *table, pktseq_error *err) {
    const pktseq_cut *cut = &table->cut;
    if (cut->packets != table->rows || cut->remainder || cut->dropped || cut->not_tcp) return 0;
    return pktseq_table_sequences(table, &a->schema.rule, err)
               ? fail("%s: %s", a->in, err->text) : 0;
}

int main(int argc, char **argv) {
    static const char *const keep[] = {"No.", "src_ip", "dst_ip", "label"};
    app a;
    pktseq_table table;
    pktseq_error err;
    int result;
    memset(&a, 0, sizeof a);
    memset(&table, 0, sizeof table);
    a.schema = pktseq_schema_default();
    a.schema.keep = keep;
    a.schema.keep_count = sizeof keep / sizeof *keep;
    result = parse_options(&a, argc, argv);
    if (result == 2) fputs(help_text, stdout);
    if (result) return result == 1;
    if (pktseq_table_read(&table, a.in, &a.schema, NULL, &err))
        result = fail("%s%s", err.text, "");
    result = result || cut_again(&a, &table, &err) || write_table(&a, &table);
    if (!result && !a.quiet) print_cut(&a, &table);
    pktseq_table_free(&table);
    return result;
}
