// cc -O2 examples/sequences.c -lm -o sequences && ./sequences examples/data/normal_export.csv
// Prints the sequences as CSV, and on standard error which packets are left out and why.
//
// Divides an export of Wireshark or tshark into sequences of packets, which train and detect read.
// `sequences --help` shows the command that makes such an export.

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#define OUTPUT_PROGRAM "sequences"
#include "output.h"

static const char help_text[] =
    "sequences [options] DATA    (- is the standard input)\n"
    "\n"
    "Cuts packets into sequences by the rule of the reference notebooks, and writes them as CSV\n"
    "for train and detect. DATA is a pcap or pcapng capture, or CSV from Wireshark or tshark.\n"
    "This is not needed to find anomalies: train --recommended and detect read DATA themselves\n"
    "and group packets by connection. The columns:\n"
    "  position,No.,timestamp,src_ip,dst_ip,protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg,\n"
    "  ack,push,reset,syn,fin,label,transport,icmp_type,icmp_code,icmp_id\n"
    "(No. and label only if DATA has them, transport and those after it only if there are\n"
    "packets other than TCP). To export a capture with tshark:\n"
    "\n"
    "  tshark -r capture.pcap -T fields -E header=y -E separator=, -E quote=d \\\n"
    "      -e frame.number -e frame.time_epoch -e ip.src -e ipv6.src -e ip.dst -e ipv6.dst \\\n"
    "      -e ip.proto -e ipv6.nxt -e _ws.col.Protocol -e frame.len \\\n"
    "      -e tcp.srcport -e tcp.dstport -e tcp.flags -e udp.srcport -e udp.dstport \\\n"
    "      -e icmp.type -e icmp.code -e icmp.ident -e icmpv6.type -e icmpv6.code \\\n"
    "      -e icmpv6.echo.identifier > export.csv\n"
    "\n"
    "(If the column of protocols is empty, write _ws.col.protocol.) Packets of every transport\n"
    "are kept, with flags 0 where there are none; others than IP are counted and left out.\n"
    "\n"
    "A packet begins a sequence. The next ones join it, up to --min, whatever they are; after\n"
    "that, those whose source or destination is the source of the first and that are at most\n"
    "--window seconds later than it; never more than --max. A packet that does not join begins\n"
    "the next sequence. Fewer than --min packets at the end are left out. A file that already\n"
    "has sequences (a column \"position\") is cut again; labels stay with their packets.\n"
    "\n"
    "  --out SEQS.csv   where to write (standard output; other output then goes to standard\n"
    "                   error). The file is written completely or not at all\n"
    "  --min N          packets of the shortest sequence (4)\n"
    "  --max N          packets of the longest (320)\n"
    "  --window X       seconds (1)\n"
    "  --notebook       leave out FINGER, FTP, FTP-DATA and TIME, rename SMTP/IMF to SMTP, as the\n"
    "                   reference does\n"
    "  --tcp-only       only TCP packets, as --notebook also does\n"
    "  --bad-rows X     largest percentage of unreadable rows, which are left out (1)\n"
    "  --separator C    between the cells of DATA: a character, or tab (detected)\n"
    "  --quiet          print nothing but errors\n"
    "  --help           print this text\n"
    "  --version        print the version\n";

// What the command line requests.
typedef struct app {
    const char *in, *out;
    char separator;
    int quiet;
    pktseq_rule rule;
    double bad_rows;  // percents
} app;

// Parses the command line. Returns 0; 1 after an error, which was printed; 2 after --help or
// --version.
static int parse_options(app *a, int argc, char **argv) {
    const char *separator = NULL;
    const option list[] = {
        OPTION_TEXT_OF("--out", &a->out),
        {"--min", OPTION_WHOLE, &a->rule.min_length, 1, 1e9, 0, NULL, NULL},
        {"--max", OPTION_WHOLE, &a->rule.max_length, 1, 1e9, 0, NULL, NULL},
        {"--window", OPTION_NUMBER, &a->rule.window, 0, 1e30, 0, NULL, NULL},
        OPTION_FLAG_OF("--notebook", &a->rule.reference_names),
        OPTION_FLAG_OF("--tcp-only", &a->rule.tcp_only),
        {"--bad-rows", OPTION_NUMBER, &a->bad_rows, 0, 100, 0, NULL, NULL},
        OPTION_TEXT_OF("--separator", &separator), OPTION_FLAG_OF("--quiet", &a->quiet)};
    char message[1024];
    int asked = option_parse(list, sizeof list / sizeof *list, argc, argv, &a->in, message,
                             sizeof message);
    if (asked == 1) return fail("%s", message);
    if (asked == 2) fputs(help_text, stdout);
    if (asked == 3) printf("sequences, %s\n", pktseq_build_info());
    if (asked) return 2;
    if (separator && (strcmp(separator, "tab") == 0 || strcmp(separator, "\\t") == 0))
        separator = "\t";
    if (separator && (separator[1] || strchr("\"\r\n", separator[0])))
        return fail("option --separator: found \"%s\", expected a character, or tab", separator);
    if (separator) a->separator = separator[0];
    if (!a->in) return fail("which file? sequences --help says what it may be");
    if (a->out && strcmp(a->out, "-") == 0) a->out = NULL;
    if (a->out && output_same(a->out, a->in))
        return fail("--out %s would take the place of what it is made from", a->out);
    if (a->rule.max_length < a->rule.min_length)
        return fail("--max %lu is less than --min %lu", (unsigned long)a->rule.max_length,
                    (unsigned long)a->rule.min_length);
    return 0;
}

// ---- what is written

// The columns, in order; those that the table does not have are left out.
static const char *const written[] = {"No.", "timestamp", "src_ip", "dst_ip",   "protocol",
                                      "length", "src_port", "dst_port", "res",  "ns",
                                      "cwr", "ecn", "urg", "ack", "push",       "reset",
                                      "syn", "fin", "label", "transport", "icmp_type",
                                      "icmp_code", "icmp_id"};
enum { WRITTEN = sizeof written / sizeof *written, TRANSPORT = WRITTEN - 4 };

// Writes a text, quoted where RFC 4180 requires it.
static void put_text(FILE *file, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    putc('"', file);
    for (; *text; ++text) {
        if (*text == '"') putc('"', file);
        putc(*text, file);
    }
    putc('"', file);
}

// Writes the whole table. A failed write sets the file's error flag, which is checked when it is
// closed.
static void put_table(FILE *file, const pktseq_table *table) {
    const pktseq_column *column[WRITTEN], *transport = pktseq_table_column(table, "transport");
    char number[40];
    int others = 0;  // than TCP: only then the columns of transports are written
    for (size_t row = 0; transport && !transport->names && row < table->rows; ++row)
        others |= pktseq_column_number(transport, row) != 6;
    fputs("position", file);
    for (size_t c = 0; c < WRITTEN; ++c) {
        column[c] = c < TRANSPORT || others ? pktseq_table_column(table, written[c]) : NULL;
        if (column[c]) fprintf(file, ",%s", written[c]);
    }
    putc('\n', file);
    for (size_t s = 0; s < table->sequences; ++s)
        for (size_t row = table->start[s]; row < table->start[s + 1] && !ferror(file); ++row) {
            fprintf(file, "%lu", (unsigned long)(row - table->start[s]));
            for (size_t c = 0; c < WRITTEN; ++c) {
                if (!column[c]) continue;
                putc(',', file);
                if (column[c]->names) put_text(file, pktseq_column_text(column[c], row));
                else fputs(output_number(number, pktseq_column_number(column[c], row)), file);
            }
            putc('\n', file);
        }
}

static int write_file(const pktseq_table *table, const char *path) {
    output o;
    int good = output_open(&o, path);
    if (good) {
        put_table(o.file, table);
        good = output_close(&o, 1);
    }
    return good ? 0 : fail("cannot write %s: %s", path, o.reason);
}

// ---- what is printed

// Prints a line of the summary, unless the count is 0.
static void print_line(FILE *to, size_t count, const char *what) {
    if (count) fprintf(to, "%10lu %s\n", (unsigned long)count, what);
}

// Prints where every packet went: the first number is the sum of those below it, up to the
// sequences.
static void print_summary(FILE *to, const app *a, const pktseq_table *table, int had_sequences) {
    const pktseq_table_counts *cut = &table->counts;
    fprintf(to, "%10lu packet%s read from %s\n", (unsigned long)cut->packets,
            cut->packets == 1 ? "" : "s", output_shown(input_name(a->in)));
    print_line(to, cut->not_tcp, "left out: not TCP");
    print_line(to, cut->not_ip, "left out: not IP");
    print_line(to, cut->bad_rows, "left out: cannot be read");
    print_line(to, cut->headers, "left out: the header line again");
    print_line(to, cut->dropped,
               "left out: dropped protocols (FINGER, FTP, FTP-DATA and TIME, with --notebook)");
    print_line(to, cut->remainder, "left out: remainder, too few for a sequence at the end");
    fprintf(to, "%10lu packets in %lu sequence%s, mean length %.2f\n", (unsigned long)table->rows,
            (unsigned long)table->sequences, table->sequences == 1 ? "" : "s",
            (double)table->rows / (double)table->sequences);
    print_line(to, cut->renamed, "renamed: SMTP/IMF to SMTP (with --notebook)");
    print_line(to, cut->clock_back, "clocks back: a time before that of the packet before");
    print_line(to, cut->many_values, "cells of several values, of which the last was taken");
    if (had_sequences) fprintf(to, "the file had sequences already; these are new ones\n");
    if (a->out) fprintf(to, "written to %s\n", output_shown(a->out));
}

static int run(const app *a) {
    static const char *const keep[] = {"No.",       "src_ip",    "dst_ip",    "label",  "position",
                                       "transport", "icmp_type", "icmp_code", "icmp_id"};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    pktseq_error err;
    FILE *print = a->out ? stdout : stderr;
    char warning[1024];
    int had_sequences, bad;
    schema.rule = a->rule;
    schema.separator = a->separator;
    schema.bad_rows = a->bad_rows > 0 ? a->bad_rows / 100 : -1;
    schema.keep = keep;
    schema.keep_count = sizeof keep / sizeof *keep;
    if (input_read(&table, a->in, &schema, &err)) return fail("%s", err.text);
    // A file with positions was not divided by the rule when it was read.
    had_sequences = pktseq_table_column(&table, "position") != NULL;
    if (had_sequences && pktseq_table_track(&table, &a->rule, NULL, &err)) {
        pktseq_table_free(&table);
        return fail("%s: %s", input_name(a->in), err.text);
    }
    for (size_t i = 0; !a->quiet && input_warning(&table, i, warning, sizeof warning); ++i)
        fprintf(print, "warning: %s\n", output_shown(warning));
    if (a->out) {
        bad = write_file(&table, a->out);
    } else {
        put_table(stdout, &table);
        bad = !output_printed();
        if (bad) fail("cannot write to standard output");
    }
    if (!bad && !a->quiet) print_summary(print, a, &table, had_sequences);
    pktseq_table_free(&table);
    return bad;
}

int main(int argc, char **argv) {
    app a;
    int wrong;
    memset(&a, 0, sizeof a);
    a.rule = pktseq_rule_default();
    a.bad_rows = 1;
    output_outlive_pipe();
    wrong = parse_options(&a, argc, argv);
    if (wrong == 0) wrong = run(&a);
    if (wrong != 1 && !output_printed()) wrong = fail("cannot write to standard output");
    return wrong == 1;
}
