// cc -O2 -fopenmp examples/detect.c -lm -o detect && ./detect --model M.safetensors DATA
// Prints how many sequences of DATA are anomalous, and which most, when, who and why.
//
// Scores the packet sequences of a capture with a model that `train` has left. `detect --help`
// lists the options. Without -fopenmp it works the same, on one core.

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngram.h"
#include "options.h"
#define OUTPUT_PROGRAM "detect"
#include "output.h"
#include "alarm.h"
#include "live.h"
#include "report.h"

static const char help_text[] =
    "detect --model M.safetensors [options] DATA\n"
    "\n"
    "Scores the packet sequences in DATA (a pcap or pcapng capture; or CSV from Wireshark, tshark\n"
    "or sequences; - is the standard input) and prints those that are least like what the model\n"
    "was trained on. Alarms between the same two addresses, or from one source to many, each\n"
    "within a minute of another, form one incident.\n"
    "\n"
    "  --model M.safetensors   a model that train has saved\n"
    "  --calibrate NORMAL      learn which scores are normal from traffic that the model was not\n"
    "                          trained on; train --recommended has already done so\n"
    "  --false-alarms X        share of normal sequences that may exceed the threshold (as the\n"
    "                          model was trained: 0.01, which is 1%); 0: none of those that it\n"
    "                          was calibrated on, which is no promise for later ones\n"
    "  --alarms-per-hour N     the same, as a number of false alarms, if sequences are as\n"
    "                          frequent as in calibration\n"
    "  --threshold X           use this threshold\n"
    "  --start target|input    the decoder's first token (as the model was trained)\n"
    "  --context X             with --calibrate: share of the pair's last 10 seconds in the\n"
    "                          score, 0 = none (as in the model)\n"
    "  --save-calibration      write the calibration into the model's file\n"
    "  --scores OUT.csv        one row per sequence: rows of DATA, time, ends, score, alarm; - is\n"
    "                          the standard output; other output then goes to standard error\n"
    "  --top N                 incidents to print (20); sequences, if none exceeds the threshold\n"
    "  --report REPORT.html    the same as one page with pictures; - as above\n"
    "  --baseline              with --calibrate: compare with a 3-gram table of packets, which\n"
    "                          needs no network\n"
    "  --notebook              segment a capture as the reference does: without FINGER, FTP, TIME\n"
    "  --bad-rows X            largest percentage of unreadable rows, which are left out (1);\n"
    "                          with --live all are left out and counted\n"
    "  --threads N             0 = OpenMP's choice (0)\n"
    "  --live                  print each alarm while packets arrive; DATA is read once. The\n"
    "                          default for -, unless --scores, --report, --top or --calibrate is\n"
    "                          given\n"
    "  --adapt HOURS           with --live: recompute the threshold from the sequences that ended\n"
    "                          in the last hours; a burst of alarms hardly moves it (off)\n"
    "  --json                  one object per line: live each alarm; for a file each incident,\n"
    "                          then its sequences; names as in Suricata's EVE\n"
    "  --ignore FILE           no alarms of these addresses, networks, pairs of them or\n"
    "                          \"port N\", one per line\n"
    "  --help                  print this text\n"
    "  --version               print the version, and how it was compiled\n"
    "\n"
    "If DATA has a column label (0 = normal, ? = leave out, else a name; a sequence takes the\n"
    "label of more than half its packets), it also prints how well the scores rank: area under\n"
    "the ROC curve, average precision, detections at 1 % and 0.1 % false alarms, in all and for\n"
    "each label. Where sequences follow connections, a connection counts once, with its highest\n"
    "score.\n"
    "\n"
    "Each incident is followed by the three columns that added most to its highest score, with\n"
    "the packet of the sequence where each was worst, and by some of its sequences. A token\n"
    "describes a packet: protocol, -> from the side that began or <- back, flags, length, and\n"
    "the packet before it; pair_.. count packets between the two addresses in the last 10\n"
    "seconds. The report explains each.\n";

enum { MOST_LABELS = 64, MOST_STEPS = 40, MOST_SEQUENCES = 3, UNKNOWN = 2 };

// A pair of the dataset: one scored sequence.
typedef struct scored_pair {
    size_t sequence;         // its number in the table
    size_t leader;           // the first pair of the same connection; itself without one
    const char *label;       // "0" or a name
    unsigned char anomalous; // by label: 1, 0, or UNKNOWN, as all but leaders are
} scored_pair;

// A pair's number with its score, to sort by.
typedef struct ranked {
    double score;
    size_t pair;
} ranked;

// The options, and everything made from them.
typedef struct app {
    const char *model_path, *data_path, *normal_path, *scores_path, *report_path;
    const char *ignore_path;
    int baseline, save, notebook, given_threshold, given_rate, given_context, given_start, start;
    int live, json, given_top;
    double adapt;              // hours, or 0
    double threshold, rate, hourly, context, bad_rows;  // hourly: alarms an hour, or -1; the last
                               // in percents
    int judged;                // there is a threshold
    size_t top, threads;
    int undated;               // some sequence of the list has no date
    FILE *print;               // where the list goes: stdout, or stderr if that gets a file
    pktseq_guard guard;        // the opened model
    pktseq_table table;
    pktseq_dataset dataset;
    scored_pair *pair;         // (pairs)
    double *score;             // (pairs)
    double *best;              // (pairs) score; of a leader the highest of its connection
    ranked *rank;              // (pairs) the highest score first
    int labelled;
    pktseq_evaluation evaluation;
    int evaluated;
    alarm_rules rules;         // alarms that are not shown,
    size_t ignored;            // and how many there were
    struct incidents incidents;     // of the sequences above the threshold, the highest score first
    size_t entries;            // of the list: incidents, or sequences if there are none
    size_t *member, *begin;    // entry k: pairs member[begin[k]] .. member[begin[k + 1] - 1], the
                               //   highest score first
    pktseq_work work;          // of the pair that is explained,
    double *part;              // and what adds up to its score
    char *summary;             // what is printed before the list, for the report
    size_t summary_size, summary_capacity;
    pktseq_error err;
} app;

// ---- the command line

// Checks that no output overwrites an input or another output. Returns 1 after an error.
static int output_clash(const app *a) {
    const char *const to[] = {a->report_path, a->scores_path, a->save ? a->model_path : NULL};
    if ((to[0] && strcmp(to[0], "-") == 0) + (to[1] && strcmp(to[1], "-") == 0) + a->json > 1)
        return fail("only one of --report, --scores and --json can be written to the standard "
                    "output");
    for (int i = 0; i < 3; ++i) {
        const char *const other[] = {a->data_path, a->normal_path, i < 2 ? a->model_path : NULL,
                                     i < 2 ? to[!i] : NULL};
        for (int k = 0; k < 4; ++k)
            if (to[i] && other[k] && (k == 3 || strcmp(to[i], "-") != 0) &&
                output_same(to[i], other[k]))
                return fail("%s would take the place of %s", to[i], other[k]);
    }
    return 0;
}

// Checks before any computation that the outputs can be written. Returns 1 after an error.
static int output_check(const app *a) {
    const char *const to[] = {a->report_path, a->scores_path, a->save ? a->model_path : NULL};
    for (int i = 0; i < 3; ++i) {
        const char *reason = to[i] ? output_probe(to[i]) : NULL;
        if (reason) return fail("cannot write %s: %s", to[i], reason);
    }
    return 0;
}

// Parses the command line. Returns 0 to continue, 1 after an error, 2 after --help or --version.
static int parse_options(app *a, int argc, char **argv) {
    const option list[] = {
        OPTION_TEXT_OF("--model", &a->model_path), OPTION_TEXT_OF("--calibrate", &a->normal_path),
        {"--false-alarms", OPTION_SHARE, &a->rate, 0, 0.5, 0, NULL, &a->given_rate},
        {"--alarms-per-hour", OPTION_NUMBER, &a->hourly, 0, 1e9, 0, NULL, NULL},
        {"--threshold", OPTION_NUMBER, &a->threshold, -1e300, 1e300, 0, NULL, &a->given_threshold},
        {"--start", OPTION_CHOICE, &a->start, 0, 0, 0, "target|input", &a->given_start},
        {"--context", OPTION_NUMBER, &a->context, 0, 0.99, 0, NULL, &a->given_context},
        OPTION_FLAG_OF("--save-calibration", &a->save), OPTION_TEXT_OF("--scores", &a->scores_path),
        {"--top", OPTION_WHOLE, &a->top, 0, 1e6, 0, NULL, &a->given_top},
        OPTION_FLAG_OF("--live", &a->live),
        {"--adapt", OPTION_NUMBER, &a->adapt, 0.01, 1e5, 0, NULL, NULL},
        OPTION_FLAG_OF("--json", &a->json), OPTION_TEXT_OF("--ignore", &a->ignore_path),
        OPTION_TEXT_OF("--report", &a->report_path), OPTION_FLAG_OF("--baseline", &a->baseline),
        OPTION_FLAG_OF("--notebook", &a->notebook),
        {"--bad-rows", OPTION_NUMBER, &a->bad_rows, 0, 100, 0, NULL, NULL},
        {"--threads", OPTION_WHOLE, &a->threads, 0, 1024, 0, NULL, NULL}};
    char message[1024];
    int asked = option_parse(list, sizeof list / sizeof *list, argc, argv, &a->data_path, message,
                             sizeof message);
    if (asked == 1) return fail("%s", message);
    if (asked == 2) fputs(help_text, stdout);
    if (asked == 3) printf("detect, %s\n", pktseq_build_info());
    if (asked) return 2;
    if (!a->model_path || !a->data_path)
        return fail("expected --model M.safetensors and DATA; detect --help says more");
    if (!a->normal_path && (a->given_context || a->baseline || a->save))
        return fail("%s needs --calibrate NORMAL",
                    a->given_context ? "--context"
                    : a->baseline    ? "--baseline"
                                     : "--save-calibration");
    if (a->hourly >= 0 && (a->given_rate || a->given_threshold || a->normal_path))
        return fail("--alarms-per-hour and %s exclude each other",
                    a->given_rate        ? "--false-alarms"
                    : a->given_threshold ? "--threshold"
                                         : "--calibrate");
    if (a->normal_path && strcmp(a->normal_path, "-") == 0 && strcmp(a->data_path, "-") == 0)
        return fail("the standard input cannot be both NORMAL and DATA");
    if (a->live && (a->scores_path || a->report_path || a->normal_path || a->given_top))
        return fail("%s reads a whole file, and --live answers before its end",
                    a->scores_path   ? "--scores"
                    : a->report_path ? "--report"
                    : a->normal_path ? "--calibrate"
                                     : "--top");
    if (strcmp(a->data_path, "-") == 0 && !a->scores_path && !a->report_path && !a->normal_path &&
        !a->given_top)
        a->live = 1;
    if (a->adapt > 0 && (!a->live || a->given_threshold))
        return fail(a->live ? "--adapt makes the threshold anew: leave --threshold out"
                            : "--adapt is for live use: give --live, too");
    if (output_clash(a)) return 1;
    a->print = a->json || (a->scores_path && strcmp(a->scores_path, "-") == 0) ||
                       (a->report_path && strcmp(a->report_path, "-") == 0)
                   ? stderr
                   : stdout;
    return 0;
}

// ---- model, data, calibration

// Columns for the output, not features: who, when, and the label; then those of --json, then those
// of the n-gram.
static const char *const keep[] = {
    "No.", "timestamp", "src_ip", "dst_ip", "src_port", "dst_port", "label", "transport",
    "protocol", "length", "icmp_type", "icmp_code", "res", "ns", "cwr", "ecn", "urg", "ack", "push",
    "reset", "syn", "fin"};

// Reads a file with the model's own schema.
static int read_table(app *a, const char *path, pktseq_table *table) {
    static const char *const shown[] = {"src_ip", "dst_ip", "label"};
    pktseq_schema schema = pktseq_codec_schema(&a->guard.codec);
    schema.keep = keep;
    schema.keep_count = a->baseline ? sizeof keep / sizeof *keep : a->json ? 12 : 8;
    if (a->notebook) schema.rule = a->guard.options.rule;
    schema.bad_rows = a->bad_rows > 0 ? a->bad_rows / 100 : -1;
    if (input_read(table, path, &schema, &a->err)) return fail("%s", a->err.text);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; ++i) {
        const pktseq_column *column = pktseq_table_column(table, shown[i]);
        for (size_t k = 0; column && k < column->name_count; ++k)
            output_make_printable(column->names[k], 0);
    }
    return 0;
}

// Opens the checkpoint; without a calibration scores are the reference's.
static int open_model(app *a) {
    pktseq_guard_options options;
    const char *wrong = input_wrong(a->model_path, 1);
    if (wrong) return fail("%s %s", a->model_path, wrong);
    memset(&options, 0, sizeof options);
    options.threshold = HUGE_VAL;  // without a calibration there is none
    if (a->notebook) options.rule = pktseq_schema_reference().rule;
    if (pktseq_guard_load(&a->guard, a->model_path, &options, &a->err))
        return fail("%s", a->err.text);
    if (a->given_start) a->guard.model.config.start = (pktseq_start)a->start;
    return 0;
}

// Makes the data set of a table that was read from a file.
static int make_dataset(app *a, const char *path, const pktseq_table *table,
                        pktseq_dataset *dataset) {
    if (!pktseq_guard_dataset(&a->guard, table, dataset, &a->err)) return 0;
    return fail("%s: %s", input_name(path), a->err.text);
}

// Calibrates the model again, on normal traffic.
static int calibrate(app *a, pktseq_table *normal) {
    pktseq_guard *g = &a->guard;
    pktseq_recipe recipe;
    pktseq_dataset dataset;
    unsigned long n;
    int bad;
    if (a->context > 0 && !g->codec.contexts)
        return fail("%s has no counters of the pair's last 10 seconds, so --context has no meaning",
                    a->model_path);
    if (make_dataset(a, a->normal_path, normal, &dataset)) return 1;
    n = (unsigned long)dataset.pairs;
    pktseq_recipe_from_model(&recipe, &g->model, &g->codec, &g->training, &g->detector, NULL);
    if (a->given_rate) recipe.false_positive_rate = a->rate;
    if (a->given_context) recipe.context = a->context;
    recipe.train.threads = (int)a->threads;
    bad = n >= 20 && pktseq_recipe_calibrate(&recipe, &g->model, &g->codec, &dataset, &g->detector,
                                             &a->err);
    pktseq_dataset_free(&dataset);
    if (n < 20)
        return fail("%s: %lu sequence%s of normal traffic %s too few for a threshold: 20 are the "
                    "least, and 1000 or more make one that can be promised", a->normal_path, n,
                    output_plural(n), n == 1 ? "is" : "are");
    return bad ? fail("%s: %s", a->normal_path, a->err.text) : 0;
}

// Finds the threshold and its false-alarm rate: those of running scores, if live.
static int find_threshold(app *a) {
    const pktseq_detector *d = &a->guard.detector;
    a->judged = a->given_threshold || d->sequences > 0;
    if (a->given_threshold) {
        a->rate = -1;
        return 0;
    }
    if (a->live && !a->judged)
        return fail("%s has no threshold: give --threshold X, or calibrate it", a->model_path);
    if (a->hourly >= 0 && pktseq_detector_rate(d, a->hourly, &a->rate))
        return fail("%s does not say how many sequences an hour has, so --alarms-per-hour has no "
                    "meaning: calibrate it anew, or give --false-alarms", a->model_path);
    a->threshold = a->live ? d->running_threshold : d->threshold;
    if (a->hourly < 0 && (!a->given_rate || a->normal_path))
        a->rate = d->options.false_positive_rate;
    else if (pktseq_detector_threshold(d, a->live, a->rate, &a->threshold, NULL, NULL))
        return fail("%s keeps no distribution of normal scores, from which --false-alarms could be "
                    "taken: give --calibrate NORMAL, too", a->model_path);
    return 0;
}

// Returns the label of more than half of a sequence's packets, or "0". Only the label that remains
// after removing pairs of unequal labels can be it (Boyer and Moore's vote).
static const char *sequence_label(const pktseq_column *column, size_t row, size_t past) {
    const char *candidate = NULL;  // equal texts of a column are the same
    size_t lead = 0, count = 0;
    for (size_t r = row; r < past; ++r) {
        if (lead == 0) candidate = pktseq_column_text(column, r);
        if (pktseq_column_text(column, r) == candidate) ++lead;
        else --lead;
    }
    for (size_t r = row; r < past; ++r) count += pktseq_column_text(column, r) == candidate;
    return 2 * count > past - row && candidate[0] ? candidate : "0";
}

// Finds the first sequence of each connection, which counts for all of them: it is anomalous if one
// of them is, and the others are left out.
static int find_leaders(app *a) {
    size_t n = a->dataset.pairs;
    size_t *first = (size_t *)malloc((a->table.sequences + 1) * sizeof *first);
    if (!first) return fail("out of memory");
    for (size_t s = 0; s < a->table.sequences; ++s) first[s] = n;
    for (size_t i = 0; i < n; ++i) {
        size_t *leader = &first[a->table.connection ? a->table.connection[a->pair[i].sequence] : i];
        if (*leader == n) *leader = i;
        a->pair[i].leader = *leader;
        if (*leader == i) continue;
        if (a->pair[*leader].anomalous == 0 && a->pair[i].anomalous == 1) {
            a->pair[*leader].anomalous = 1;
            a->pair[*leader].label = a->pair[i].label;
        }
        a->pair[i].anomalous = UNKNOWN;
    }
    free(first);
    return 0;
}

// Sets the score of each leader to the highest of its connection.
static void lead_scores(const app *a, double *score) {
    for (size_t i = 0; i < a->dataset.pairs; ++i)
        if (score[i] > score[a->pair[i].leader]) score[a->pair[i].leader] = score[i];
}

// Finds each pair's sequence and label.
static int find_sequences(app *a) {
    const pktseq_column *label = pktseq_table_column(&a->table, "label");
    size_t n = a->dataset.pairs, s = 0;
    if (label && !label->names) label = NULL;  // a field of the model, which has it as a number
    a->pair = (scored_pair *)malloc(n * sizeof *a->pair);
    a->score = (double *)malloc(n * sizeof *a->score);
    a->best = (double *)malloc(n * sizeof *a->best);
    a->rank = (ranked *)malloc(n * sizeof *a->rank);
    if (!a->pair || !a->score || !a->best || !a->rank) return fail("out of memory");
    a->labelled = label != NULL;
    for (size_t i = 0; i < n; ++i) {
        scored_pair *pair = &a->pair[i];
        while (a->table.start[s] < a->dataset.first_row[i]) ++s;
        pair->sequence = s;
        pair->label = label ? sequence_label(label, a->table.start[s], a->table.start[s + 1]) : "0";
        if (pktseq_label_is_normal(pair->label)) pair->label = "0";
        pair->anomalous = strcmp(pair->label, "0") != 0;
        if (strcmp(pair->label, "?") == 0) pair->anomalous = UNKNOWN;
    }
    return find_leaders(a);
}

// Compares for qsort: the highest score first, equal ones in the order of the file.
static int compare_ranked(const void *a, const void *b) {
    const ranked *x = (const ranked *)a, *y = (const ranked *)b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->pair > y->pair) - (x->pair < y->pair);
}

// Evaluates how well scores (pairs) rank the sequences whose label is known, or only those of one
// label against the normal ones. Returns 0 on success.
static int evaluate(app *a, const double *score, const char *label, pktseq_evaluation *e) {
    double *used = (double *)malloc(a->dataset.pairs * sizeof *used);
    unsigned char *is = (unsigned char *)malloc(a->dataset.pairs);
    size_t n = 0;
    int bad = !used || !is;
    for (size_t i = 0; !bad && i < a->dataset.pairs; ++i) {
        if (a->pair[i].anomalous == UNKNOWN ||
            (a->pair[i].anomalous && label && strcmp(a->pair[i].label, label) != 0))
            continue;
        used[n] = score[i];
        is[n++] = a->pair[i].anomalous;
    }
    bad = bad || pktseq_evaluate(used, is, n, e, NULL, &a->err);
    free(used);
    free(is);
    return bad;
}

// Scores all pairs and ranks them.
static int score_data(app *a) {
    size_t n = a->dataset.pairs;
    if (pktseq_detector_score_all(&a->guard.detector, &a->guard.model, &a->dataset,
                                  (int)a->threads, a->score, &a->err))
        return fail("%s: %s", a->data_path, a->err.text);
    for (size_t i = 0; i < n; ++i) {
        a->rank[i].score = a->score[i];
        a->rank[i].pair = i;
        if (a->score[i] - a->score[i] != 0)
            return fail("%s: a score is not finite: %s is no model for these data", a->data_path,
                        a->model_path);
    }
    qsort(a->rank, n, sizeof *a->rank, compare_ranked);
    memcpy(a->best, a->score, n * sizeof *a->best);
    lead_scores(a, a->best);
    if (a->labelled) a->evaluated = !evaluate(a, a->best, NULL, &a->evaluation);
    return 0;
}

// ---- what is printed

// Prints a line, and keeps it for the report.
static void say(app *a, const char *format, ...) {
    char line[1024];
    va_list list;
    int length;
    va_start(list, format);
    length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (length < 0) return;
    if ((size_t)length >= sizeof line) {
        length = (int)sizeof line - 1;
        if (format[strlen(format) - 1] == '\n') line[length - 1] = '\n';
    }
    output_make_printable(line, '\n');
    fputs(line, a->print);
    if (a->summary_size + (size_t)length + 1 > a->summary_capacity) {
        size_t capacity = 2 * (a->summary_capacity + sizeof line);
        char *larger = (char *)realloc(a->summary, capacity);
        if (!larger) return;  // the report is then shorter
        a->summary = larger;
        a->summary_capacity = capacity;
    }
    memcpy(a->summary + a->summary_size, line, (size_t)length + 1);
    a->summary_size += (size_t)length;
}

// Prints the model, and what it was made from.
static void print_model(app *a) {
    say(a, "model       %s\n", output_shown(a->model_path));
    for (const char *p = a->guard.training.description; *p; p += p[strcspn(p, "\n")] == '\n') {
        char line[sizeof a->guard.training.description];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
        say(a, "%s%s", p == a->guard.training.description ? "made from   " : "            ",
            output_shown(line));
        p += strcspn(p, "\n");
        if (!*p && a->guard.training.iteration)
            say(a, ", %lu iterations", (unsigned long)a->guard.training.iteration);
        say(a, "\n");
    }
}

// Prints what was read, and what of it could not be used.
static void print_data(app *a) {
    const pktseq_table_counts *cut = &a->table.counts;
    const char *names = input_names(a->guard.codec.naming, pktseq_table_naming(&a->table));
    char warning[1024];
    for (size_t i = 0; input_warning(&a->table, i, warning, sizeof warning); ++i)
        say(a, "warning     %s\n", output_shown(warning));
    if (names) say(a, "warning     %s\n", names);
    print_model(a);
    say(a, "data        %s\n", output_shown(input_name(a->data_path)));
    say(a, "packets     %lu", (unsigned long)cut->packets);
    if (cut->dropped) say(a, ", %lu of protocols left out", (unsigned long)cut->dropped);
    if (cut->remainder) say(a, ", %lu left over at the end", (unsigned long)cut->remainder);
    say(a, "\nsequences   %lu", (unsigned long)a->dataset.pairs);
    if (a->dataset.skipped)
        say(a, ", %lu too short to be scored", (unsigned long)a->dataset.skipped);
    say(a, "\n");
    for (size_t f = 0; f < a->guard.codec.field_count; ++f)
        if (a->dataset.unknown[f])
            say(a, "unknown     %lu packet%s %s that the model does not know\n",
                (unsigned long)a->dataset.unknown[f],
                a->dataset.unknown[f] == 1 ? " has a" : "s have a",
                output_shown(a->guard.codec.field[f].column));
}

// Prints the threshold, and how it was chosen.
static void print_threshold(app *a) {
    const pktseq_detector *d = &a->guard.detector;
    char text[256];
    if (a->given_threshold) {
        say(a, "threshold   %.5g, as given\n", a->threshold);
    } else if (d->sequences) {
        say(a, "threshold   %.5g for %s%s%s\n", a->threshold,
            output_rate(text, d, a->rate),
            a->normal_path ? " of " : "", a->normal_path ? output_shown(a->normal_path) : "");
    } else {
        say(a, "threshold   none, so nothing is judged: give --calibrate NORMAL or --threshold "
               "X\n");
    }
}

// Counts the packets with a value of field f that the model does not know, by name.
static void count_unknown(const app *a, size_t f, pktseq_drift *drift) {
    const pktseq_field *field = &a->guard.codec.field[f];
    const pktseq_column *column = pktseq_table_column(&a->table, field->column);
    const pktseq_column *transport = pktseq_table_column(&a->table, "transport");
    const pktseq_column *src = pktseq_table_column(&a->table, "src_port");
    const pktseq_column *dst = pktseq_table_column(&a->table, "dst_port");
    unsigned char *unknown;
    if (!column || !column->names || !src || src->names || !dst || dst->names) return;
    unknown = (unsigned char *)malloc(column->name_count + 1);
    for (size_t k = 0; unknown && k < column->name_count; ++k) {
        size_t c = 0;
        while (c < field->category_count && strcmp(field->category[c], column->names[k])) ++c;
        unknown[k] = c == field->category_count;
    }
    for (size_t row = 0; unknown && row < a->table.rows; ++row) {
        if (!unknown[(size_t)pktseq_column_number(column, row)]) continue;
        pktseq_drift_unknown(drift,
                             transport && !transport->names
                                 ? (unsigned)pktseq_column_number(transport, row) : 6,
                             (unsigned)pktseq_column_number(src, row),
                             (unsigned)pktseq_column_number(dst, row));
    }
    free(unknown);
}

// Prints whether this traffic is like that of the calibration.
static void print_verdict(app *a) {
    pktseq_drift drift;
    pktseq_verdict verdict;
    size_t packets = 0, most = 0;
    char text[768];
    pktseq_status status;
    if (!a->guard.detector.sequences || a->normal_path) return;
    memset(&drift, 0, sizeof drift);
    for (size_t i = 0; i < a->dataset.pairs; ++i) packets += a->dataset.length[i];
    for (size_t f = 0; f < a->guard.codec.field_count; ++f)
        if (a->dataset.unknown[f] > a->dataset.unknown[most]) most = f;
    for (size_t i = 0; i < a->dataset.pairs; ++i)
        pktseq_drift_add(&drift, &a->guard.detector, a->score[i], a->score[i] > a->threshold,
                         i ? 0 : (double)packets, i ? 0 : (double)a->dataset.unknown[most]);
    if (a->dataset.unknown[most]) count_unknown(a, most, &drift);
    status = pktseq_drift_verdict(&drift, &a->guard.detector, a->rate, &verdict);
    say(a, "verdict     %s\n", verdict_text(text, status ? NULL : &verdict, a->rate));
}

// Prints the mean score of all, and of both kinds: by label or, without labels, by the threshold.
static void print_means(app *a, const char *const kind[2]) {
    double sum[3] = {0, 0, 0}, all = 0;
    size_t count[3] = {0, 0, 0}, n = 0;
    for (size_t i = 0; i < a->dataset.pairs; ++i) {
        int k = a->labelled ? a->pair[i].anomalous : a->best[i] > a->threshold;
        if (a->pair[i].leader != i) continue;
        sum[k] += a->best[i];
        all += a->best[i];
        ++count[k];
        ++n;
    }
    say(a, "score       mean %.5g", all / (double)n);
    for (int k = 0; k < 2; ++k)
        if (count[k]) say(a, ", %s %.5g", kind[k], sum[k] / (double)count[k]);
    say(a, "\n");
}

// Prints how many are above the threshold, and how high scores are.
static void print_figures(app *a) {
    static const char *const label[] = {"normal by label", "anomalous by label"};
    static const char *const side[] = {"below the threshold", "above it"};
    size_t above = 0, n = 0;
    for (size_t i = 0; i < a->dataset.pairs; ++i) {
        if (a->pair[i].leader != i) continue;
        above += a->best[i] > a->threshold;
        ++n;
    }
    if (a->judged)
        say(a, "anomalous   %lu of %lu %s (%.2f %%) are above the threshold\n",
            (unsigned long)above, (unsigned long)n,
            a->table.connection ? "connections" : "sequences", 100 * (double)above / (double)n);
    else
        say(a, "anomalous   not judged: the list below has the highest scores, "
               "whatever they mean\n");
    if (a->judged) say(a, "incidents   %lu", (unsigned long)a->incidents.count);
    if (a->ignored) say(a, ", and %lu sequences ignored", (unsigned long)a->ignored);
    if (a->judged) say(a, "\n");
    if (a->judged || a->labelled) print_means(a, a->labelled ? label : side);
}

// Returns the share of the normal (0) or of the anomalous sequences (1), or of those with one
// label, that are above a threshold; 0 of none.
static double share_above(const app *a, const double *score, double threshold, int kind,
                          const char *label) {
    size_t above = 0, count = 0;
    for (size_t i = 0; i < a->dataset.pairs; ++i) {
        if (a->pair[i].anomalous != kind || (label && strcmp(a->pair[i].label, label))) continue;
        above += score[i] > threshold;
        ++count;
    }
    return count ? (double)above / (double)count : 0;
}

// Prints a line of ranking figures for any scores, and what a threshold finds if there is one.
static void print_ranking(app *a, const char *what, const pktseq_evaluation *e,
                          const double *score, double threshold, int judged) {
    say(a, "%-11s AUC %.3f  AP %.3f  found at 1 %% false alarms %4.1f %%, at 0.1 %% %4.1f %%", what,
        e->auc, e->average_precision, 100 * e->tpr_at_1_percent, 100 * e->tpr_at_0_1_percent);
    if (judged)
        say(a, ", at the threshold %4.1f %% (false alarms %.2f %%)",
            100 * share_above(a, score, threshold, 1, NULL),
            100 * share_above(a, score, threshold, 0, NULL));
    say(a, "\n");
}

// Prints what is found of one label, compared with all normal sequences.
static int print_label(app *a, const char *label) {
    pktseq_evaluation e;
    if (evaluate(a, a->best, label, &e)) return fail("label %s: %s", label, a->err.text);
    say(a, "  %-16s %6lu  ", label, (unsigned long)e.anomalous);
    if (a->judged) say(a, "%5.1f %%", 100 * share_above(a, a->best, a->threshold, 1, label));
    else say(a, "%7s", "-");
    say(a, "  %.3f  %5.1f %%\n", e.auc, 100 * e.tpr_at_1_percent);
    return 0;
}

// Prints how well the scores rank, if the data have labels.
static int print_evaluation(app *a) {
    const char *seen[MOST_LABELS];
    const pktseq_evaluation *e = &a->evaluation;
    size_t labels = 0, known = e->anomalous + e->normal;
    if (!a->labelled) return 0;
    if (!a->evaluated) {
        say(a, "labels      %s\n", a->err.text);
        return 0;
    }
    say(a, "\nlabels      %lu of %lu %s are anomalous\n", (unsigned long)e->anomalous,
        (unsigned long)known, a->table.connection ? "connections" : "sequences");
    print_ranking(a, "this model", e, a->best, a->threshold, a->judged);
    say(a, "chance      AUC 0.500  AP %.3f  found at 1 %% false alarms  1.0 %%, at 0.1 %%  0.1 %%",
        (double)e->anomalous / (double)known);
    if (a->judged)
        say(a, ", at the threshold %4.1f %%",
            100 * share_above(a, a->best, a->threshold, 0, NULL));
    say(a, "\n");
    say(a, "  %-16s %6s  %7s  %5s  %7s\n", "label", "number", "found", "AUC", "at 1 %");
    for (size_t i = 0; i < a->dataset.pairs; ++i) {
        size_t k = 0;
        if (a->pair[i].anomalous != 1) continue;
        while (k < labels && strcmp(seen[k], a->pair[i].label)) ++k;
        if (k < labels) continue;
        if (labels == MOST_LABELS) {
            say(a, "  (only the first %d labels are shown)\n", (int)MOST_LABELS);
            break;
        }
        seen[labels++] = a->pair[i].label;
        if (print_label(a, a->pair[i].label)) return 1;
    }
    return 0;
}

// Prints the same figures for a table of 3-grams that learned from the first 80 % of the normal
// traffic and takes its threshold from the rest.
static int print_baseline(app *a, const pktseq_table *normal) {
    size_t learn = (size_t)(0.8 * (double)normal->sequences);
    double *score = (double *)malloc((normal->sequences + a->table.sequences) * sizeof *score);
    double *own = score ? score + normal->sequences : NULL, threshold;
    double *used = (double *)malloc(a->dataset.pairs * sizeof *used);
    pktseq_evaluation e;
    char message[256];
    size_t above = 0;
    int bad = 1;
    if (!score || !used)
        fail("out of memory");
    else if (ngram_scores(normal, learn, &a->table, score, own, message, sizeof message))
        fail("the 3-gram baseline: %s", message);
    else if (pktseq_quantile(score + learn, normal->sequences - learn,
                             1 - a->guard.detector.options.false_positive_rate, &threshold, NULL,
                             &a->err))
        fail("the 3-gram baseline: %s", a->err.text);
    else
        bad = 0;
    for (size_t i = 0; !bad && i < a->dataset.pairs; ++i) {
        used[i] = own[a->pair[i].sequence];
        above += used[i] > threshold;
    }
    if (!bad) lead_scores(a, used);
    if (!bad && a->evaluated && !evaluate(a, used, NULL, &e))
        print_ranking(a, "3-grams", &e, used, threshold, 1);
    else if (!bad)
        say(a, "3-grams     %lu sequences above their threshold\n", (unsigned long)above);
    free(score);
    free(used);
    return bad;
}

// ---- reasons

// Returns a number of a row, or `missing` if the column is.
static double number_of(const app *a, const char *name, size_t row, double missing) {
    const pktseq_column *column = pktseq_table_column(&a->table, name);
    return column && !column->names ? pktseq_column_number(column, row) : missing;
}

// Returns a string of a row, or "".
static const char *text_of(const app *a, const char *name, size_t row) {
    const char *text = pktseq_column_text(pktseq_table_column(&a->table, name), row);
    return text ? text : "";
}

// Writes both ends of the packet in a row, "10.0.0.1:4000 -> 10.0.0.2:80", or "?".
static void who_of(const app *a, size_t row, char text[160]) {
    const char *src = text_of(a, "src_ip", row), *dst = text_of(a, "dst_ip", row);
    snprintf(text, 160, "?");
    if (*src || *dst)
        output_ends(text, 160, src, (unsigned)number_of(a, "src_port", row, 0), dst,
                    (unsigned)number_of(a, "dst_port", row, 0));
    output_whole_characters(text);
}

// Returns a packet's time in seconds of the capture; 0 without timestamps.
static double time_of(const app *a, size_t row) { return number_of(a, "timestamp", row, 0); }

// Writes a time for people: "2.500 s", or date and time if all of the list have them.
static const char *time_text(const app *a, double time, char text[48]) {
    if (!strchr(pktseq_time_text(time, text), 'Z') || a->undated)
        snprintf(text, 48, "%.3f s", time);
    return text;
}

static const char *when_of(const app *a, size_t row, char text[48]) {
    return time_text(a, time_of(a, row), text);
}

// Returns the row in the file, from 1.
static size_t file_row(const app *a, size_t row) {
    return (a->table.source_row ? a->table.source_row[row] : row) + 1;
}

// Returns the column with the packets' numbers in the capture, or NULL.
static const pktseq_column *frames_of(const app *a) {
    const pktseq_column *frame = pktseq_table_column(&a->table, "No.");
    return frame && !frame->names ? frame : NULL;
}

// Writes a display filter by addresses and time, for files that do not number their packets; "" if
// the strings are no addresses.
static void filter_by_time(const app *a, size_t row, size_t last, char *text, size_t size) {
    const char *address[2], *clock, *ip[2];
    double first = time_of(a, row);
    address[0] = text_of(a, "src_ip", row);
    address[1] = text_of(a, "dst_ip", row);
    text[0] = 0;
    for (int k = 0; k < 2; ++k) {
        if (!address[k][0] || strlen(address[k]) > 45 ||
            address[k][strspn(address[k], "0123456789abcdefABCDEF.:")])
            return;
        ip[k] = strchr(address[k], ':') ? "ipv6" : "ip";
    }
    clock = fabs(first) > 1e8 ? "frame.time_epoch" : "frame.time_relative";
    if (pktseq_table_column(&a->table, "timestamp"))
        snprintf(text, size, "%s >= %.6f && %s <= %.6f && %s.addr == %s && %s.addr == %s", clock,
                 first - 1e-6, clock, time_of(a, last) + 1e-6, ip[0], address[0], ip[1],
                 address[1]);
}

// Writes Wireshark's display filter for the packets of a sequence: frame.number in {3, 5..8}.
static void filter_of(const app *a, size_t row, size_t packets, char *text, size_t size) {
    const pktseq_column *frame = frames_of(a);
    size_t n = 0, past = row + packets;
    if (!frame) {
        filter_by_time(a, row, past - 1, text, size);
        return;
    }
    n = (size_t)snprintf(text, size, "frame.number in {");
    for (size_t r = row, end; r < past; r = end) {
        double first = pktseq_column_number(frame, r), last = first;
        for (end = r + 1; end < past && fabs(pktseq_column_number(frame, end) - last - 1) < 0.5;)
            last = pktseq_column_number(frame, end++);
        if (n + 60 > size || !(fabs(first) < 1e15)) {  // too many pieces
            filter_by_time(a, row, past - 1, text, size);
            return;
        }
        n += (size_t)snprintf(text + n, size - n, "%s%.0f", r == row ? "" : ", ", first);
        if (end > r + 1) n += (size_t)snprintf(text + n, size - n, "..%.0f", last);
    }
    snprintf(text + n, size - n, "}");
}

// A sequence with its reasons, as the list and the report show it.
typedef struct explained {
    pktseq_alarm alarm;    // with its reasons
    size_t pair, row;      // row: its first one in the table
    char who[160], last_who[160], when[48], filter[1400];
    char reason[3][512];
    report_step step[MOST_STEPS];    // of the report: its packets,
    char step_text[MOST_STEPS][2][REASON_WORDS];  // and what was expected and seen
} explained;

// Fills in an alarm, without reasons, from a sequence of the table.
static void alarm_of(const app *a, size_t i, pktseq_alarm *alarm) {
    const pktseq_table *table = &a->table;
    const pktseq_column *length = pktseq_table_column(table, "length");
    size_t row = a->dataset.first_row[i], past = row + a->dataset.length[i];
    const char *transport;
    char text[16];
    memset(alarm, 0, sizeof *alarm);
    alarm->begin = time_of(a, row);
    alarm->time = time_of(a, past - 1);
    alarm_address(text_of(a, "src_ip", row), alarm->src);
    alarm_address(text_of(a, "dst_ip", row), alarm->dst);
    alarm->src_port = (uint16_t)number_of(a, "src_port", row, 0);
    alarm->dst_port = (uint16_t)number_of(a, "dst_port", row, 0);
    alarm->transport = (uint8_t)number_of(a, "transport", row, 6);
    alarm->icmp_type = (uint8_t)number_of(a, "icmp_type", row, 0);
    alarm->icmp_code = (uint8_t)number_of(a, "icmp_code", row, 0);
    transport = alarm_transport(alarm->transport, text);
    snprintf(alarm->protocol, sizeof alarm->protocol, "%s", transport);
    for (size_t k = row; k < past; ++k) {
        const char *protocol = text_of(a, "protocol", k);
        if (!*protocol || strcmp(protocol, transport) == 0) continue;
        snprintf(alarm->protocol, sizeof alarm->protocol, "%s", protocol);
        break;
    }
    for (size_t k = row; length && !length->names && k < past; ++k)
        alarm->bytes += pktseq_column_number(length, k);
    alarm->sequence = a->pair[i].sequence;
    alarm->connection = table->connection ? table->connection[alarm->sequence] : alarm->sequence;
    alarm->packets = a->dataset.length[i];
    alarm->score = a->score[i];
    alarm->threshold = a->threshold;
    alarm->ended = 1;
}

// Finds the reasons of target steps first .. past - 1 of the pair that is explained. Strings are
// those of the table, since the model may not know them. Returns how many.
static size_t reasons_of(const app *a, size_t i, size_t first, size_t past, pktseq_reason *reason) {
    pktseq_pair pair = pktseq_dataset_pair(&a->dataset, i);
    size_t reasons = 0;
    pktseq_detector_reasons(&a->guard.detector, &a->guard.codec, &a->work, &pair, a->part, first,
                            past, reason, &reasons);
    for (size_t k = 0; k < reasons; ++k) {
        const pktseq_column *column = pktseq_table_column(&a->table, reason[k].column);
        if (column && column->names)
            snprintf(reason[k].seen, sizeof reason[k].seen, "%s",
                     pktseq_column_text(column, a->dataset.first_row[i] + reason[k].packet - 1));
    }
    return reasons;
}

// Makes the alarm of a pair, with its reasons. a->part and a->work then hold the pair's.
static int explain(app *a, size_t i, explained *x) {
    pktseq_pair pair = pktseq_dataset_pair(&a->dataset, i);
    double score;
    x->pair = i;
    x->row = a->dataset.first_row[i];
    alarm_of(a, i, &x->alarm);
    if (pktseq_detector_explain(&a->guard.detector, &a->guard.model, &a->work, &pair, a->part,
                                &score))
        return fail("out of memory");
    x->alarm.reasons = reasons_of(a, i, 0, pair.targets, x->alarm.reason);
    return 0;
}

// ---- incidents, and the list

// Groups the sequences above the threshold into incidents. Without any, each sequence is an entry
// of the list.
static int find_incidents(app *a) {
    size_t n = a->dataset.pairs, *of = (size_t *)calloc(n, sizeof *of), *at, alarms = 0;
    a->member = (size_t *)malloc(n * sizeof *a->member);
    a->begin = (size_t *)calloc(n + 2, sizeof *a->begin);
    if (!of || !a->member || !a->begin) {
        free(of);
        return fail("out of memory");
    }
    for (size_t i = 0; i < n; ++i) {
        pktseq_alarm alarm;
        const incident *x;
        if (!(a->score[i] > a->threshold)) continue;
        alarm_of(a, i, &alarm);
        if (alarm_ignored(&a->rules, &alarm)) {
            ++a->ignored;
            continue;
        }
        x = incident_add(&a->incidents, &alarm);
        of[i] = x ? x->number : 0;
        ++alarms;
    }
    a->entries = incident_sort(&a->incidents);
    at = (size_t *)calloc(a->entries + 1, sizeof *at);
    for (size_t k = 0; at && k < a->entries; ++k) {
        at[a->incidents.list[k].number] = k;
        a->begin[k + 2] = a->begin[k + 1] + a->incidents.list[k].sequences;
    }
    for (size_t k = 0; at && alarms && k < n; ++k)  // begin[k + 1] moves to where it belongs
        if (of[a->rank[k].pair])
            a->member[a->begin[at[of[a->rank[k].pair]] + 1]++] = a->rank[k].pair;
    if (!alarms && !a->ignored) {
        a->entries = n;
        for (size_t k = 0; k < n; ++k) a->member[k] = a->rank[k].pair;
        for (size_t k = 0; k <= n; ++k) a->begin[k] = k;
    }
    free(of);
    if (!at) return fail("out of memory");
    free(at);
    return 0;
}

// Chooses the sequences of an entry that are shown: the highest of each of some destinations, then
// the highest of the rest. Returns how many.
static size_t choose(const app *a, size_t entry, size_t chosen[MOST_SEQUENCES]) {
    size_t first = a->begin[entry], past = a->begin[entry + 1], n = 0;
    for (int any = 0; any < 2; ++any)
        for (size_t m = first; m < past && n < MOST_SEQUENCES; ++m) {
            size_t row = a->dataset.first_row[a->member[m]];
            int like = 0, same = 0;
            for (size_t k = 0; k < n; ++k) {
                size_t other = a->dataset.first_row[a->member[chosen[k]]];
                same |= chosen[k] == m;
                like |= strcmp(text_of(a, "dst_ip", row), text_of(a, "dst_ip", other)) == 0;
            }
            if (!same && (any || !like)) chosen[n++] = m;
        }
    for (size_t k = 1; k < n; ++k)  // in the order of their scores
        for (size_t j = k; j > 0 && chosen[j] < chosen[j - 1]; --j) {
            size_t swap = chosen[j];
            chosen[j] = chosen[j - 1];
            chosen[j - 1] = swap;
        }
    for (size_t k = 0; k < n; ++k) chosen[k] = a->member[chosen[k]];
    return n;
}

// An entry of the list: an incident, or a single sequence.
typedef struct entry {
    const incident *x;         // NULL: none
    explained one[MOST_SEQUENCES];     // (shown) some of its sequences, the highest first
    report_item item[MOST_SEQUENCES];  // the same for the report
    size_t sequences, shown;
    char ends[160], labels[160];
} entry;

// Lists the labels of an entry's sequences: "rstmid", "back 25, oddflags 70".
static void entry_labels(const app *a, size_t k, char *text, size_t size) {
    const char *seen[6];
    size_t count[6] = {0}, kinds = 0, used = 0;
    text[0] = 0;
    for (size_t m = a->begin[k]; a->labelled && m < a->begin[k + 1]; ++m) {
        const char *label = a->pair[a->member[m]].label;
        size_t j = 0;
        while (j < kinds && strcmp(seen[j], label)) ++j;
        if (j == kinds && kinds < 6) seen[kinds++] = label;
        if (j < kinds) ++count[j];
    }
    for (size_t j = 0; j < kinds && used < size; ++j)
        used += (size_t)(kinds == 1 ? snprintf(text, size, "%s", seen[j])
                                    : snprintf(text + used, size - used, "%s%s %lu",
                                               j ? ", " : "", seen[j], (unsigned long)count[j]));
    output_whole_characters(text);
    output_make_printable(text, 0);
}

// Writes both ends of an entry; of an incident with several destinations, how many there are.
static void entry_ends(const app *a, entry *e) {
    const char *src = text_of(a, "src_ip", e->one[0].row);
    const char *dst = text_of(a, "dst_ip", e->one[0].row);
    int back = e->x && memcmp(e->x->src, e->one[0].alarm.src, 16) != 0;
    if (e->x) incident_ends(e->x, back ? dst : src, back ? src : dst, e->ends);
    else snprintf(e->ends, sizeof e->ends, "%s", e->one[0].who);
    output_whole_characters(e->ends);
}

// Prints a sequence on a line, after its number in the list or below its incident.
static void print_sequence(const app *a, const explained *x, int label) {
    const char *row = a->table.notes & PKTSEQ_READ_BY_PORT ? "frame" : "row";  // of a capture
    size_t packets = x->alarm.packets;
    unsigned long first = (unsigned long)file_row(a, x->row);
    unsigned long last = (unsigned long)file_row(a, x->row + packets - 1);
    fprintf(a->print, "%.4g%s  at %s, %s", x->alarm.score,
            x->alarm.score > a->threshold ? " !" : "", x->when, row);
    if (first == last) fprintf(a->print, " %lu", first);
    else fprintf(a->print, "s %lu to %lu", first, last);
    fprintf(a->print, ", %lu packet%s, %s%s%s\n", (unsigned long)packets, output_plural(packets),
            x->who, label ? ", label " : "", label ? a->pair[x->pair].label : "");
}

// Prints the list: score, when, how long, who, why.
static void print_top(const app *a, const entry *list, size_t count) {
    const unsigned long n = (unsigned long)count;
    if (count == 1)
        fprintf(a->print, "\nthe %shighest score\n",
                a->incidents.count ? "incident with the " : "");
    else if (count)
        fprintf(a->print, a->incidents.count ? "\nthe %lu incidents with the highest scores\n"
                                             : "\nthe %lu highest scores\n", n);
    for (size_t k = 0; k < count; ++k) {
        const entry *e = &list[k];
        const pktseq_alarm *alarm = &e->one[0].alarm;
        char when[48];
        fprintf(a->print, "%4lu  ", (unsigned long)(k + 1));
        if (e->sequences == 1)
            print_sequence(a, &e->one[0], a->labelled);
        else
            fprintf(a->print, "%.4g !  from %s, %.1f s, %lu sequences, %s%s%s\n", alarm->score,
                    time_text(a, e->x->first, when), e->x->last - e->x->first,
                    (unsigned long)e->sequences, e->ends, a->labelled ? ", label " : "", e->labels);
        for (size_t i = 0; i < alarm->reasons; ++i)
            fprintf(a->print, "      %s\n", e->one[0].reason[i]);
        for (size_t i = 0; e->sequences > 1 && i < e->shown; ++i) {
            fprintf(a->print, "      ");
            print_sequence(a, &e->one[i], a->labelled && strpbrk(e->labels, ","));
        }
        if (e->sequences > e->shown)
            fprintf(a->print, "      and %lu more\n", (unsigned long)(e->sequences - e->shown));
    }
}

// Writes every incident as a JSON object on one line, followed by its sequences.
static int put_json(app *a, explained *x) {
    size_t count = a->given_top && a->top < a->entries ? a->top : a->entries;
    for (size_t k = 0; a->incidents.count && k < count; ++k)
        for (size_t m = a->begin[k]; m < a->begin[k + 1]; ++m) {
            incident *of = &a->incidents.list[k];
            if (explain(a, a->member[m], x)) return 1;
            if (m == a->begin[k]) {
                of->highest = x->alarm;
                incident_put_json(stdout, of, a->threshold);
            }
            alarm_put_json(stdout, &x->alarm, of->number);
        }
    return 0;
}

// ---- files

// Writes a row of CSV per sequence. Returns 0 if that failed.
static int put_scores(const app *a, FILE *file) {
    char who[160], time[40];
    int good = fprintf(file, "sequence,first_row,last_row,time,who,packets,score,anomalous%s\n",
                   a->labelled ? ",label" : "") > 0;
    for (size_t i = 0; i < a->dataset.pairs && good; ++i) {
        size_t row = a->dataset.first_row[i], n = a->dataset.length[i];
        who_of(a, row, who);
        good = fprintf(file, "%lu,%lu,%lu,%s,", (unsigned long)a->pair[i].sequence,
                       (unsigned long)file_row(a, row), (unsigned long)file_row(a, row + n - 1),
                       output_number(time, time_of(a, row))) > 0 &&
               output_cell(file, who) &&
               fprintf(file, ",%lu,%.9g,%s", (unsigned long)n, a->score[i],
                       !a->judged ? "" : a->score[i] > a->threshold ? "1" : "0") > 0 &&
               (!a->labelled || (fputc(',', file) != EOF && output_cell(file, a->pair[i].label))) &&
               fputc('\n', file) != EOF;
    }
    return good;
}

static int write_scores(const app *a) {
    output o;
    int good = output_open(&o, a->scores_path) && output_close(&o, put_scores(a, o.file));
    return good ? 0 : fail("cannot write %s: %s", a->scores_path, o.reason);
}

// Chooses the packets of the explained pair that the report shows: all, or the MOST_STEPS that add
// most to its score. Returns how many.
static size_t choose_steps(const app *a, size_t steps, report_step *step) {
    size_t parts = a->guard.codec.groups + a->guard.codec.contexts, count = 0;
    for (size_t t = 0; t < steps; ++t) {
        size_t min = 0;
        double sum = 0;
        for (size_t p = 0; p < parts; ++p) sum += a->part[t * parts + p];
        if (count == MOST_STEPS) {  // the one that adds least gives way, of equals the last
            for (size_t k = 1; k < count; ++k)
                if (step[k].score <= step[min].score) min = k;
            if (!(sum > step[min].score)) continue;
            memmove(step + min, step + min + 1, (--count - min) * sizeof *step);
        }
        step[count].packet = a->guard.model.config.inputs + t + 1;
        step[count++].score = sum;
    }
    return count;
}

// Fills in the packets of the explained pair, each with the part that added most to it.
static void report_one(const app *a, explained *x, report_item *item) {
    const pktseq_column *frame = frames_of(a);
    size_t last = x->row + x->alarm.packets - 1, inputs = a->guard.model.config.inputs;
    item->steps = choose_steps(a, x->alarm.packets - inputs, x->step);
    for (size_t k = 0; k < item->steps; ++k) {
        report_step *step = &x->step[k];
        size_t row = x->row + step->packet - 1, t = step->packet - 1 - inputs;
        pktseq_reason reason[3];
        step->frame = frame ? (size_t)pktseq_column_number(frame, row) : file_row(a, row);
        step->time = time_of(a, row);
        step->why = step->expected = step->seen = "";
        if (!reasons_of(a, x->pair, t, t + 1, reason)) continue;
        step->why = reason[0].column;
        step->expected = reason_words(reason[0].expected, x->step_text[k][0]);
        step->seen = reason_words(reason[0].seen, x->step_text[k][1]);
    }
    item->sequence = a->pair[x->pair].sequence;
    item->row = file_row(a, x->row);
    item->last_row = file_row(a, last);
    item->time = x->alarm.begin;
    item->last_time = x->alarm.time;
    item->when = x->when;
    item->who = x->who;
    item->last_who = x->last_who;
    item->filter = x->filter;
    item->packets = x->alarm.packets;
    item->score = x->alarm.score;
    item->label = a->labelled ? a->pair[x->pair].label : NULL;
    item->step = x->step;
}

// Copies the points of the pictures: each sequence, or each connection once with its highest score.
// Returns how many.
static size_t report_points(const app *a, double *time, double *score, unsigned char *anomalous) {
    size_t n = 0;
    for (size_t i = 0; i < a->dataset.pairs; ++i) {
        if (a->pair[i].leader != i) continue;
        time[n] = time_of(a, a->dataset.first_row[i]);
        score[n] = a->best[i];
        anomalous[n++] = a->pair[i].anomalous;
    }
    return n;
}

// Completes the report, whose list is given, and writes it.
static int write_report(app *a, const report_entry *list, size_t count) {
    report r;
    char message[512];
    size_t n = a->dataset.pairs, lines = 0;
    double *time = (double *)malloc(2 * n * sizeof *time);
    unsigned char *anomalous = (unsigned char *)malloc(n);
    const char **line = (const char **)malloc((a->summary_size + 1) * sizeof *line);
    int bad = !time || !anomalous || !line;
    memset(&r, 0, sizeof r);
    if (!bad) r.count = report_points(a, time, time + n, anomalous);
    for (char *p = bad ? NULL : a->summary; p && *p;) {
        char *end = strchr(p, '\n');
        line[lines++] = p;
        if (!end) break;
        *end = 0;
        p = end + 1;
    }
    r.data = input_name(a->data_path);
    r.model = a->model_path;
    r.summary = line;
    r.summaries = lines;
    r.time = time;
    r.score = time + n;
    r.anomalous = a->labelled ? anomalous : NULL;
    r.threshold = a->threshold;
    r.threshold_low = a->given_threshold ? a->threshold : a->guard.detector.threshold_low;
    r.threshold_high = a->given_threshold ? a->threshold : a->guard.detector.threshold_high;
    r.evaluation = a->evaluated ? &a->evaluation : NULL;
    r.top = list;
    r.top_count = count;
    r.incidents = a->incidents.count;
    r.unit = a->table.connection ? "connection" : "sequence";
    r.capture = (a->table.notes & PKTSEQ_READ_BY_PORT) != 0;
    r.frames = r.capture || frames_of(a);
    if (bad)
        fail("out of memory");
    else if (report_write(a->report_path, &r, message, sizeof message))
        bad = fail("%s", message);
    free(time);
    free(anomalous);
    free(line);
    return bad;
}

// Makes entry k of the list and of the report.
static int make_entry(app *a, size_t k, entry *e, report_entry *r) {
    const pktseq_alarm *alarm = &e->one[0].alarm;
    size_t pair[MOST_SEQUENCES];
    e->x = a->incidents.count ? &a->incidents.list[k] : NULL;
    e->sequences = a->begin[k + 1] - a->begin[k];
    e->shown = choose(a, k, pair);
    for (size_t i = 0; i < e->shown; ++i) {
        explained *x = &e->one[i];
        if (explain(a, pair[i], x)) return 1;
        who_of(a, x->row, x->who);
        who_of(a, x->row + x->alarm.packets - 1, x->last_who);
        when_of(a, x->row, x->when);
        filter_of(a, x->row, x->alarm.packets, x->filter, sizeof x->filter);
        for (size_t j = 0; j < x->alarm.reasons; ++j)
            reason_text(&x->alarm.reason[j], x->reason[j]);
        if (a->report_path) report_one(a, x, &e->item[i]);
    }
    entry_labels(a, k, e->labels, sizeof e->labels);
    entry_ends(a, e);
    r->who = e->ends;
    r->score = alarm->score;
    r->time = e->x ? e->x->first : alarm->begin;
    r->last_time = e->x ? e->x->last : alarm->time;
    r->sequences = e->sequences;
    r->label = e->labels;
    for (size_t i = 0; i < alarm->reasons; ++i) r->reason[i] = e->one[0].reason[i];
    r->item = e->item;
    r->items = e->shown;
    return 0;
}

// Prints the list of incidents and writes it into the report, or writes all of them as JSON.
static int print_and_report(app *a) {
    size_t count = a->top < a->entries ? a->top : a->entries;
    size_t parts = a->guard.codec.groups + a->guard.codec.contexts;
    entry *list = (entry *)calloc(count + 1, sizeof *list);
    report_entry *shown = (report_entry *)calloc(count + 1, sizeof *shown);
    int bad = 0;
    a->part = (double *)malloc(a->dataset.longest * parts * sizeof *a->part);
    if (!list || !shown || !a->part) bad = fail("out of memory");
    else if (pktseq_work_init(&a->work, &a->guard.model.config, 1, a->dataset.longest, 1, NULL,
                              &a->err))
        bad = fail("%s", a->err.text);
    for (size_t m = 0; !bad && m < a->begin[count]; ++m) {
        char when[48];
        a->undated |= !strchr(when_of(a, a->dataset.first_row[a->member[m]], when), 'Z');
    }
    for (size_t k = 0; !bad && k < count; ++k) bad = make_entry(a, k, &list[k], &shown[k]);
    if (!bad && a->json) bad = put_json(a, &list[count].one[0]);  // there is one more
    else if (!bad) print_top(a, list, count);
    if (!bad && a->report_path) bad = write_report(a, shown, count);
    pktseq_work_free(&a->work);
    free(a->part);
    free(list);
    free(shown);
    return bad;
}

// ---- everything in order

// Prints and writes the results, also those after one that cannot be written.
static int tell(app *a, const pktseq_table *normal) {
    int bad;
    print_data(a);
    print_threshold(a);
    print_figures(a);
    print_verdict(a);
    bad = a->scores_path && write_scores(a);
    return (print_evaluation(a) || (a->baseline && print_baseline(a, normal)) ||
            print_and_report(a)) | bad;
}

// Watches packets as they come.
static int run_live(app *a) {
    live *l = (live *)calloc(1, sizeof *l);
    pktseq_guard_options *options = &a->guard.options;
    const char *wrong = input_wrong(a->data_path, 0);
    int bad = 1;
    if (!l) return fail("out of memory");
    options->threshold = a->threshold;
    options->false_positive_rate = a->rate > 0 ? a->rate : 0;  // of what adapts
    options->adapt = 3600 * a->adapt;
    options->alarm_fn = live_alarm;
    options->user_data = l;
    options->rule.secret[0] = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u ^ (uint64_t)clock();
    l->guard = &a->guard;
    l->print = stdout;
    l->json = a->json;
    l->rate = a->rate;
    l->rules = &a->rules;
    l->err = &a->err;
    l->incidents.limit = INCIDENT_RECENT;
    l->file = strcmp(a->data_path, "-") == 0 ? stdin : wrong ? NULL : fopen(a->data_path, "rb");
    if (wrong) fail("%s %s", a->data_path, wrong);
    else if (!l->file) fail("%s cannot be opened", a->data_path);
    else if (pktseq_guard_watch(&a->guard, NULL, &a->err)) fail("%s", a->err.text);
    else {
        a->guard.watcher.options.threshold = a->threshold;  // a 0 was taken for the learned one
        live_begin(l, a->print);
        if (l->window_size && !a->json) print_model(a);
        bad = live_run(l, a->print);
        if (bad && l->nothing) fail("no packet came from %s", input_name(a->data_path));
        else if (l->failed) fail("%s", a->err.text);
        else if (bad) fail("%s: %s", input_name(a->data_path), a->err.text);
    }
    if (l->file && l->file != stdin) fclose(l->file);
    free(l->incidents.list);
    free(l);
    return bad;
}

// Reads the rules for alarms that are not shown.
static int read_rules(app *a) {
    int line = a->ignore_path ? alarm_rules_read(&a->rules, a->ignore_path) : 0;
    if (line < 0) return fail("cannot read %s: %s", a->ignore_path, strerror(errno));
    return line ? fail("%s: line %d: expected an address, a network, two of them or \"port N\", "
                       "up to 254 bytes a line and %d such lines", a->ignore_path, line,
                       ALARM_RULES - 1) : 0;
}

// Runs all steps. A new calibration is saved last, when nothing else can fail any more.
static int run(app *a) {
    pktseq_table normal;
    int bad;
    memset(&normal, 0, sizeof normal);
    if (open_model(a) || output_check(a) || read_rules(a)) return 1;
    bad = a->normal_path && (read_table(a, a->normal_path, &normal) || calibrate(a, &normal));
    bad = bad || find_threshold(a);
    if (!bad && a->live) return run_live(a);
    bad = bad || read_table(a, a->data_path, &a->table) ||
          make_dataset(a, a->data_path, &a->table, &a->dataset) || find_sequences(a) ||
          score_data(a) || find_incidents(a) || tell(a, &normal);
    pktseq_table_free(&normal);
    if (bad) return 1;
    if (a->save && pktseq_guard_save(&a->guard, a->model_path, &a->err))
        return fail("%s", a->err.text);
    if (a->scores_path && a->print == stdout)
        printf("scores      %s\n", output_shown(a->scores_path));
    if (a->report_path && a->print == stdout)
        printf("report      %s\n", output_shown(a->report_path));
    if (a->save) fprintf(a->print, "calibration in %s\n", output_shown(a->model_path));
    return 0;
}

int main(int argc, char **argv) {
    app *a = (app *)calloc(1, sizeof *a);
    int result;
    if (!a) return fail("out of memory");
    a->top = 20;
    a->rate = 0.01;
    a->hourly = -1;
    a->bad_rows = 1;
    output_outlive_pipe();
    result = parse_options(a, argc, argv);
    if (result == 0) result = run(a);
    if (result != 1 && !output_printed()) result = fail("cannot write to standard output");
    free(a->pair);
    free(a->score);
    free(a->best);
    free(a->rank);
    free(a->summary);
    free(a->member);
    free(a->begin);
    free(a->incidents.list);
    pktseq_dataset_free(&a->dataset);
    pktseq_table_free(&a->table);
    pktseq_guard_free(&a->guard);
    free(a);
    return result == 1;
}
