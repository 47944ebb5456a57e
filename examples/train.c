// cc -O2 -fopenmp examples/train.c -lm -o train && ./train examples/data/normal_seqs.csv
// Prints a summary of the data, progress, and where the checkpoints, loss.csv and loss.svg lie.
//
// Trains a seq2seq GRU on packet sequences. `train --help` lists the options. Without -fopenmp it
// works the same, on one core.

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

#ifdef _WIN32
#include <direct.h>
#include <io.h>
#define make_folder(path) _mkdir(path)
#define on_terminal() _isatty(1)
#else
#include <sys/stat.h>
#include <unistd.h>
#define make_folder(path) mkdir(path, 0777)
#define on_terminal() isatty(1)
#endif

static const char help_text[] =
    "train [options] [DATA.csv]\n"
    "\n"
    "Trains a seq2seq GRU on the packet sequences in DATA.csv (default: the data set that comes\n"
    "with pktseq) and leaves model.safetensors, loss.csv and loss.svg in a folder. DATA.csv is\n"
    "what sequences writes, or an export of Wireshark or tshark (see sequences --help).\n"
    "\n"
    "  --iterations N        in all (100000); a resumed run counts from its first beginning\n"
    "  --epochs X            the same, as passes over the data\n"
    "  --batch N             sequences an iteration (1)\n"
    "  --hidden N            hidden units (256)\n"
    "  --lr X                learning rate (0.0001)\n"
    "  --momentum X          of SGD, 0 to below 1 (0)\n"
    "  --clip X              largest norm of the gradient, 0 = no limit (0)\n"
    "  --loss mse|nll        squared error, or the likelihood of numbers, flags and classes (mse)\n"
    "  --teacher-forcing P   share of sequences that are fed the true packets, 0 to 1 (0)\n"
    "  --start target|input  the decoder's first token: first target packet, or last input packet\n"
    "                        (target)\n"
    "  --order random|shuffled|file   drawn with replacement, shuffled epochs, or as in the file\n"
    "                        (random)\n"
    "  --seed N              of weights, order and teacher forcing (1)\n"
    "  --inputs N            packets the encoder sees before the forecast begins (3)\n"
    "  --hold-out X          share of the sequences, the last ones, that are not trained on, but\n"
    "                        tell which scores are normal, for detect (0)\n"
    "  --context X           with --recommended: share of the pair's last 10 seconds in the score\n"
    "                        (0.75)\n"
    "  --print-every N       iterations between lines of progress (100)\n"
    "  --plot-every N        iterations that a point of the loss curve is the mean of (100)\n"
    "  --snapshots LIST      percents at which a checkpoint is kept (20,40,55,70,85,100)\n"
    "  --init M.safetensors  start from these weights\n"
    "  --resume M.safetensors   go on with an interrupted run, bit for bit, on the same DATA;\n"
    "                        --iterations may be raised, the other settings come from the file\n"
    "  --out DIR             folder for the results (run)\n"
    "  --threads N           0 = as OpenMP decides (0)\n"
    "  --notebook            every habit of the reference notebooks at once: its 25 features, the\n"
    "                        last sequence dropped, snapshots 40,80,100\n"
    "  --recommended         what finds anomalies best: features and score for it, every packet\n"
    "                        forecast from those before it, --loss nll --inputs 0 --start input\n"
    "                        --teacher-forcing 1 --hidden 64 --batch 32 --lr 0.1 --momentum 0.9\n"
    "                        --clip 1 --order shuffled --epochs 30 --hold-out 0.2; each can be\n"
    "                        given, too. Leaves a threshold in model.safetensors for detect\n"
    "  --quiet               print nothing but errors\n"
    "  --help                this text\n"
    "\n"
    "Ctrl-C or SIGTERM ends a run early; what was reached is saved and can be resumed. Where\n"
    "other programs want the same cores, set OMP_WAIT_POLICY=passive (as make run does) or\n"
    "--threads 1.\n";

// What the command line asks for, and everything made from it.
typedef struct app {
    const char *data_path, *init_path, *resume_path, *out;
    int notebook, recommended, quiet, bar;
    int given_iterations, given_hidden, given_snapshots, given_print;
    const char *run_option;  // an option given that a resumed run may not have
    size_t hidden;
    pktseq_loss loss;
    double epochs, context;  // epochs 0 = iterations count
    pktseq_train_config config;
    pktseq_dataset_options options;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_dataset held;       // the sequences that are not trained on, if there are any
    pktseq_model model;
    pktseq_training training;
    pktseq_detector detector;  // fitted to the sequences held out, if there are any
    double began;            // seconds
    size_t began_iteration;
    pktseq_error err;
    pktseq_error save_err;   // of a checkpoint saved on the way
} app;

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

static double now(void) {
#ifdef TIME_UTC
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)time(NULL);
#endif
}

// Every error ends here: one sentence, exit code 1.
static int fail(const char *format, const char *a, const char *b) {
    fprintf(stderr, "train: ");
    fprintf(stderr, format, a, b);
    fprintf(stderr, "\n");
    return 1;
}

// ---- the command line

static int parse_count(const char *text, double least, double most, double *value) {
    char *end;
    if (text[0] < '0' || text[0] > '9') return 0;
    *value = strtod(text, &end);
    return *end == 0 && *value >= least && *value <= most;
}

static int parse_whole(const char *text, size_t least, size_t *value) {
    double v;
    if (!parse_count(text, (double)least, 4294967295.0, &v) || v != (double)(size_t)v) return 0;
    *value = (size_t)v;
    return 1;
}

// "20,40,100"
static int parse_snapshots(const char *text, pktseq_train_config *config) {
    config->milestone_count = 0;
    for (;;) {
        char *end;
        long percent = strtol(text, &end, 10);
        size_t n = config->milestone_count;
        if (end == text || percent < 1 || percent > 100 || n == 100 ||
            (n > 0 && percent <= config->milestone[n - 1]))
            return 0;
        config->milestone[config->milestone_count++] = (unsigned char)percent;
        if (*end == 0) return 1;
        if (*end != ',') return 0;
        text = end + 1;
    }
}

// One option with a value. NULL, or what was expected.
static const char *set_option(app *a, const char *name, const char *value) {
    size_t whole;
    if (strcmp(name, "--iterations") == 0) {
        a->given_iterations = 1;
        return parse_whole(value, 1, &a->config.iterations) ? NULL : "a whole number from 1";
    }
    if (strcmp(name, "--epochs") == 0)
        return parse_count(value, 0, 1e6, &a->epochs) ? NULL : "a number from 0";
    if (strcmp(name, "--momentum") == 0)
        return parse_count(value, 0, 0.999999, &a->config.momentum) ? NULL
                                                                    : "a number from 0 to below 1";
    if (strcmp(name, "--clip") == 0)
        return parse_count(value, 0, 1e30, &a->config.clip) ? NULL : "a number from 0";
    if (strcmp(name, "--loss") == 0) {
        a->loss = strcmp(value, "nll") ? PKTSEQ_LOSS_MSE : PKTSEQ_LOSS_NLL;
        return strcmp(value, "nll") && strcmp(value, "mse") ? "mse or nll" : NULL;
    }
    if (strcmp(name, "--hold-out") == 0) {
        double share;
        if (!parse_count(value, 0, 0.99, &share)) return "a number from 0 to 0.99";
        a->options.end = share > 0 ? 1 - share : 0;
        return NULL;
    }
    if (strcmp(name, "--context") == 0)
        return parse_count(value, 0, 0.99, &a->context) ? NULL : "a number from 0 to 0.99";
    if (strcmp(name, "--batch") == 0)
        return parse_whole(value, 1, &a->config.batch) ? NULL : "a whole number from 1";
    if (strcmp(name, "--hidden") == 0) {
        a->given_hidden = 1;
        return parse_whole(value, 1, &a->hidden) ? NULL : "a whole number from 1";
    }
    if (strcmp(name, "--lr") == 0)
        return parse_count(value, 0, 1e30, &a->config.learning_rate) ? NULL : "a number from 0";
    if (strcmp(name, "--teacher-forcing") == 0)
        return parse_count(value, 0, 1, &a->config.teacher_forcing) ? NULL : "a number from 0 to 1";
    if (strcmp(name, "--start") == 0) {
        a->options.start = strcmp(value, "input") ? PKTSEQ_START_TARGET : PKTSEQ_START_INPUT;
        return strcmp(value, "input") && strcmp(value, "target") ? "target or input" : NULL;
    }
    if (strcmp(name, "--order") == 0) {
        a->config.order = strcmp(value, "shuffled") == 0 ? PKTSEQ_ORDER_SHUFFLED
                          : strcmp(value, "file") == 0   ? PKTSEQ_ORDER_FILE
                                                         : PKTSEQ_ORDER_RANDOM;
        return a->config.order == PKTSEQ_ORDER_RANDOM && strcmp(value, "random")
                   ? "random, shuffled or file" : NULL;
    }
    if (strcmp(name, "--seed") == 0) {
        if (!parse_whole(value, 0, &whole)) return "a whole number from 0";
        a->config.seed = whole;
        return NULL;
    }
    if (strcmp(name, "--inputs") == 0)
        return parse_whole(value, 0, &a->options.inputs) ? NULL : "a whole number from 0";
    if (strcmp(name, "--print-every") == 0) {
        a->given_print = 1;
        return parse_whole(value, 1, &a->config.report_every) ? NULL : "a whole number from 1";
    }
    if (strcmp(name, "--plot-every") == 0)
        return parse_whole(value, 1, &a->config.point_every) ? NULL : "a whole number from 1";
    if (strcmp(name, "--snapshots") == 0) {
        a->given_snapshots = 1;
        return parse_snapshots(value, &a->config) ? NULL : "rising percents as in 20,40,100";
    }
    if (strcmp(name, "--threads") == 0) {
        if (!parse_whole(value, 0, &whole) || whole > 1024) return "a whole number from 0 to 1024";
        a->config.threads = (int)whole;
        return NULL;
    }
    if (strcmp(name, "--init") == 0) a->init_path = value;
    if (strcmp(name, "--resume") == 0) a->resume_path = value;
    if (strcmp(name, "--out") == 0) a->out = value;
    return value[0] ? NULL : "a name";
}

// The options that take a value; 1 = one that a resumed run takes from its checkpoint.
static const struct {
    const char *name;
    int of_run;
} option[] = {{"--iterations", 0}, {"--batch", 1},       {"--hidden", 1},    {"--lr", 1},
              {"--start", 1},      {"--order", 1},       {"--seed", 1},      {"--inputs", 1},
              {"--init", 1},       {"--print-every", 0}, {"--plot-every", 1}, {"--snapshots", 0},
              {"--threads", 0},    {"--resume", 0},      {"--out", 0},
              {"--teacher-forcing", 1}, {"--epochs", 1}, {"--momentum", 1}, {"--clip", 1},
              {"--loss", 1},       {"--hold-out", 1},    {"--context", 1}};

// The settings of --recommended; other options are read afterwards and go before them.
static void set_recommended(app *a) {
    a->recommended = 1;
    a->run_option = "--recommended";
    a->loss = PKTSEQ_LOSS_NLL;
    a->hidden = 64;
    a->epochs = 30;
    a->options.inputs = 0;
    a->options.start = PKTSEQ_START_INPUT;
    a->options.end = 0.8;
    a->config.batch = 32;
    a->config.learning_rate = 0.1;
    a->config.momentum = 0.9;
    a->config.clip = 1;
    a->config.teacher_forcing = 1;
    a->config.order = PKTSEQ_ORDER_SHUFFLED;
}

// Reads the command line. 0 = go on, 1 = wrong (said so), 2 = --help was asked for.
static int parse_options(app *a, int argc, char **argv) {
    for (int i = 1; i < argc; ++i)
        if (strcmp(argv[i], "--recommended") == 0) set_recommended(a);
    for (int i = 1; i < argc; ++i) {
        const char *name = argv[i], *expected;
        size_t known = 0;
        while (known < sizeof option / sizeof *option && strcmp(name, option[known].name)) ++known;
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return 2;
        if (strcmp(name, "--recommended") == 0) {
            a->recommended = 1;
        } else if (strcmp(name, "--quiet") == 0) {
            a->quiet = 1;
        } else if (strcmp(name, "--notebook") == 0) {
            a->notebook = 1;
            a->run_option = name;
        } else if (name[0] != '-') {
            if (a->data_path) return fail("found two data files, %s and %s", a->data_path, name);
            a->data_path = name;
        } else if (known == sizeof option / sizeof *option) {
            return fail("unknown option %s; train --help lists them%s", name, "");
        } else if (i + 1 == argc) {
            return fail("option %s needs a value%s", name, "");
        } else {
            if (option[known].of_run) a->run_option = name;
            expected = set_option(a, name, argv[++i]);
            if (expected) {
                fprintf(stderr, "train: option %s: found \"%s\", expected %s\n", name, argv[i],
                        expected);
                return 1;
            }
        }
    }
    if (a->notebook && a->recommended)
        return fail("--notebook and --recommended exclude each other%s%s", "", "");
    if (a->init_path && a->resume_path)
        return fail("--init and --resume exclude each other%s%s", "", "");
    if (a->resume_path && a->run_option)
        return fail("%s cannot be changed in a resumed run; it comes from %s", a->run_option,
                    a->resume_path);
    return 0;
}

// ---- data and model

static int exists(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file) fclose(file);
    return file != NULL;
}

// The data set of the repository, from its top folder, from examples/, or beside the program.
static const char *default_data(const char *program) {
    static char beside[1024];
    const char *slash = strrchr(program, '/');
    if (exists("examples/data/normal_seqs.csv")) return "examples/data/normal_seqs.csv";
    if (exists("data/normal_seqs.csv")) return "data/normal_seqs.csv";
    if (slash && (size_t)(slash - program) < 900) {
        snprintf(beside, sizeof beside, "%.*s/examples/data/normal_seqs.csv",
                 (int)(slash - program), program);
        if (exists(beside)) return beside;
    }
    return "examples/data/normal_seqs.csv";
}

// A view of the sequences that are trained on: what is held out must not shape the codec either.
static pktseq_table table_head(const app *a) {
    pktseq_table head = a->table;
    if (a->options.end > 0) {
        head.sequences = (size_t)(a->options.end * (double)head.sequences);
        if (head.sequences == 0) head.sequences = 1;
        head.rows = head.start[head.sequences];
    }
    return head;
}

// A run that begins: codec from the data, weights drawn or from --init.
static int prepare_new(app *a) {
    pktseq_schema schema = a->notebook      ? pktseq_schema_notebook()
                           : a->recommended ? pktseq_schema_recommended(a->context > 0)
                                            : pktseq_schema_default();
    pktseq_config config;
    pktseq_model init;
    pktseq_table head;
    if (pktseq_table_read(&a->table, a->data_path, &schema, NULL, &a->err))
        return fail("%s%s", a->err.text, "");
    head = table_head(a);
    if (pktseq_codec_fit(&a->codec, &head, &schema, NULL, &a->err) ||
        pktseq_dataset_init(&a->dataset, &a->codec, &a->table, &a->options, NULL, &a->err))
        return fail("%s%s", a->err.line || strstr(a->err.text, a->data_path) ? "" : "the data: ",
                    a->err.text);
    config = pktseq_config_default(&a->dataset);
    config.hidden = a->hidden;
    config.loss = a->loss;
    if (a->epochs > 0 && !a->given_iterations)
        a->config.iterations = (size_t)(a->epochs * (double)a->dataset.pairs /
                                        (double)a->config.batch + 0.999);
    if (a->init_path) {
        if (pktseq_load(a->init_path, &init, NULL, NULL, NULL, NULL, &a->err))
            return fail("%s%s", a->err.text, "");
        if (init.config.in != config.in || init.config.out != config.out ||
            (a->given_hidden && init.config.hidden != config.hidden)) {
            fprintf(stderr, "train: %s has %lu features in, %lu out and %lu hidden units, expected "
                            "%lu, %lu and %lu\n", a->init_path, (unsigned long)init.config.in,
                    (unsigned long)init.config.out, (unsigned long)init.config.hidden,
                    (unsigned long)config.in, (unsigned long)config.out,
                    (unsigned long)(a->given_hidden ? config.hidden : init.config.hidden));
            pktseq_model_free(&init);
            return 1;
        }
        config.hidden = init.config.hidden;
    }
    if (pktseq_model_init(&a->model, config, a->config.seed, NULL, &a->err)) {
        if (a->init_path) pktseq_model_free(&init);
        return fail("a model of this size: %s%s", a->err.text, "");
    }
    if (a->init_path) {
        memcpy(a->model.block, init.block, init.parameters * sizeof *init.block);
        pktseq_model_free(&init);
    }
    return 0;
}

// A run that goes on: everything from the checkpoint but the packets.
static int prepare_resumed(app *a) {
    pktseq_schema schema;
    pktseq_train_config asked = a->config;
    if (pktseq_load(a->resume_path, &a->model, &a->codec, &a->training, &a->detector, NULL,
                    &a->err))
        return fail("%s%s", a->err.text, "");
    if (!a->training.iteration || !a->codec.field_count)
        return fail("%s holds no interrupted training run (--init takes weights alone)%s",
                    a->resume_path, "");
    a->config = a->training.config;
    if (a->given_iterations) a->config.iterations = asked.iterations;
    if (a->config.iterations < a->training.iteration)
        return fail("%s has done more iterations than --iterations asks for%s", a->resume_path, "");
    if (a->given_print) a->config.report_every = asked.report_every;
    a->config.threads = asked.threads;
    if (a->given_snapshots) {
        memcpy(a->config.milestone, asked.milestone, sizeof asked.milestone);
        a->config.milestone_count = asked.milestone_count;
    }
    memset(&schema, 0, sizeof schema);
    schema.field = a->codec.field;
    schema.field_count = a->codec.field_count;
    schema.rule = a->codec.rule;
    a->options.begin = a->training.begin;
    a->options.end = a->training.end;
    a->options.inputs = a->model.config.inputs;
    a->options.start = a->model.config.start;
    a->options.drop_last = (int)a->training.drop_last;
    if (pktseq_table_read(&a->table, a->data_path, &schema, NULL, &a->err) ||
        pktseq_dataset_init(&a->dataset, &a->codec, &a->table, &a->options, NULL, &a->err))
        return fail("%s%s", a->err.text, "");
    return 0;
}

// ---- what is printed

// One packet in its own units: every field, the flags by the names of those that are set.
static void print_packet(const app *a, const char *what, size_t number, const pktseq_real *x) {
    pktseq_value *value = (pktseq_value *)malloc(a->codec.field_count * sizeof *value);
    if (!value) return;
    pktseq_codec_decode(&a->codec, x, value);
    printf("  %-7s%3lu ", what, (unsigned long)number);
    for (size_t f = 0; f < a->codec.field_count; ++f) {
        if (a->codec.field[f].kind == PKTSEQ_FLAG ||
            a->codec.field[f].role == PKTSEQ_ROLE_CONTEXT)
            continue;
        if (value[f].text)
            printf(" %10s", value[f].text);
        else
            printf(" %10.6g", value[f].number);
    }
    printf("  ");
    for (size_t f = 0; f < a->codec.field_count; ++f)
        if (a->codec.field[f].kind == PKTSEQ_FLAG && value[f].number > 0)
            printf(" %s", a->codec.field[f].column);
    printf("\n");
    free(value);
}

static void print_features(const app *a) {
    printf("features    %lu from %lu columns\n", (unsigned long)a->codec.features,
           (unsigned long)a->codec.field_count);
    for (size_t f = 0; f < a->codec.field_count; ++f) {
        const pktseq_field *field = &a->codec.field[f];
        printf("  %-10s", field->column);
        if (field->category_count) {
            int bounds = field->kind != PKTSEQ_ONEHOT;
            printf(bounds ? " up to" : "");
            for (size_t k = 0; k < field->category_count && k < 20; ++k)
                printf(" %s%s", k && !bounds && field->category_count > 25 ? "| " : "",
                       field->category[k]);
            if (field->category_count > 20)
                printf(" ... (%lu)", (unsigned long)field->category_count);
            if (a->dataset.unknown[f])
                printf("  (%lu cells are none of these)", (unsigned long)a->dataset.unknown[f]);
        } else if (field->role == PKTSEQ_ROLE_CONTEXT) {
            printf(" context");
        } else if (field->kind == PKTSEQ_FLAG) {
            printf(" 0 or 1");
        } else if (field->kind == PKTSEQ_PORT || field->kind == PKTSEQ_PORT_NOTEBOOK) {
            printf(" well_known registered%s",
                   field->kind == PKTSEQ_PORT ? " dynamic" : ", above 49151 none");
        } else {
            printf(" mean %g, standard deviation %g%s", field->mean, field->sd,
                   field->kind == PKTSEQ_LOG_SINCE_PREVIOUS ? " of log(1 + microseconds since the "
                                                              "packet before)" : "");
        }
        printf("\n");
    }
}

// Where rows of a capture went that are not in sequences, in one line for each reason.
static void print_cut(const pktseq_cut *cut) {
    if (cut->not_tcp) printf("            %lu are not TCP\n", (unsigned long)cut->not_tcp);
    if (cut->dropped)
        printf("            %lu are of protocols that the notebook drops\n",
               (unsigned long)cut->dropped);
    if (cut->remainder)
        printf("            %lu at the end are too few for a sequence\n",
               (unsigned long)cut->remainder);
}

static void print_summary(const app *a) {
    const pktseq_dataset *d = &a->dataset;
    size_t shown = (size_t)(a->config.seed * 2654435761u % d->pairs);
    pktseq_pair pair = pktseq_dataset_pair(d, shown);
    printf("data        %s\n", a->data_path);
    printf("rows        %lu packets", (unsigned long)a->table.rows);
    if (a->table.cut.packets > a->table.rows)
        printf(" of %lu", (unsigned long)a->table.cut.packets);
    printf("\n");
    print_cut(&a->table.cut);
    printf("sequences   %lu", (unsigned long)a->table.sequences);
    if (a->table.position_gaps)
        printf(" (%lu rows do not follow the position before them)",
               (unsigned long)a->table.position_gaps);
    printf("\npairs       %lu of %lu input packets and 1 to %lu target packets",
           (unsigned long)d->pairs, (unsigned long)d->options.inputs, (unsigned long)d->longest);
    if (d->skipped) printf(" (%lu sequences are too short)", (unsigned long)d->skipped);
    if (d->options.drop_last) printf(" (the last sequence is dropped)");
    if (d->options.end > 0)
        printf(" (%lu are held out)",
               (unsigned long)(a->table.sequences - d->pairs - d->skipped));
    printf("\n");
    print_features(a);
    if (a->codec.targets == a->codec.features) {
        printf("pair %lu, for example:\n", (unsigned long)shown);
        for (size_t i = 0; i < pair.inputs; ++i)
            print_packet(a, "input", i + 1, pair.input + i * d->in);
        for (size_t i = 0; i < pair.targets && i < 8; ++i)
            print_packet(a, "target", i + 1, pair.target + i * d->out);
        if (pair.targets > 8) printf("  ... %lu more\n", (unsigned long)(pair.targets - 8));
    }
    printf("model       %lu parameters, hidden size %lu\n", (unsigned long)a->model.parameters,
           (unsigned long)a->model.config.hidden);
    printf("library     %s\n", pktseq_build_info());
    if (a->resume_path)
        printf("resumed     after %lu iterations\n", (unsigned long)a->training.iteration);
    printf("\n");
    fflush(stdout);
}

static void print_time(double seconds) {
    long minutes = (long)(seconds / 60);
    printf("%ldm %lds", minutes, (long)(seconds - 60 * (double)minutes));
}

// `elapsed (- remaining) (iteration percent%) loss` as in the reference, or a bar on a terminal.
static void print_progress(const app *a, const pktseq_progress *p) {
    double elapsed = now() - a->began, done = (double)(p->iteration - a->began_iteration);
    double rate = elapsed > 0 ? done / elapsed : 0;
    double left = rate > 0 ? (double)(p->iterations - p->iteration) / rate : 0;
    double share = (double)p->iteration / (double)p->iterations;
    if (a->bar) {
        printf("\r[");
        for (int i = 0; i < 30; ++i) putchar(i < (int)(30 * share) ? '#' : '.');
        printf("] %3.0f%%  ", 100 * share);
        print_time(elapsed);
        printf(" (- ");
        print_time(left);
        printf(")  %.0f it/s  loss %.4f  ", rate, p->mean_loss);
    } else {
        print_time(elapsed);
        printf(" (- ");
        print_time(left);
        printf(") (%lu %.0f%%) %.4f\n", (unsigned long)p->iteration, 100 * share, p->mean_loss);
    }
    fflush(stdout);
}

// ---- what is written

static int path_in(const app *a, char *path, size_t size, const char *name) {
    int length = snprintf(path, size, "%s/%s", a->out, name);
    if (length < 0 || (size_t)length >= size)
        return fail("the name of folder %s is too long%s", a->out, "");
    return 0;
}

// Makes the folder and those above it, and finds out now whether files can be written there.
static int prepare_folder(const app *a) {
    char path[4096];
    FILE *probe;
    if (path_in(a, path, sizeof path, ".pktseq-probe")) return 1;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        make_folder(path);  // it may be there already: opening the file tells
        *slash = '/';
    }
    probe = fopen(path, "wb");
    if (!probe) return fail("cannot write into folder %s%s", a->out, "");
    fclose(probe);
    remove(path);
    return 0;
}

static int write_loss_csv(const app *a) {
    const size_t line = 64;  // no line is longer
    char path[4096], *text;
    size_t size;
    pktseq_error err;
    pktseq_status status;
    if (path_in(a, path, sizeof path, "loss.csv")) return 1;
    text = (char *)malloc((a->training.points + 1) * line);
    if (!text) return fail("out of memory%s%s", "", "");
    size = (size_t)snprintf(text, line, "iteration,loss\n");
    for (size_t i = 0; i < a->training.points; ++i)
        size += (size_t)snprintf(text + size, line, "%lu,%.9g\n",
                                 (unsigned long)((i + 1) * a->config.point_every),
                                 a->training.point[i]);
    status = pktseq_file_write(path, text, size, NULL, &err);
    free(text);
    return status ? fail("%s%s", err.text, "") : 0;
}

// Everything that a run leaves behind. Also after an interrupted or diverged one.
static int write_results(app *a) {
    char path[4096], title[128];
    snprintf(title, sizeof title, "Training loss: hidden %lu, batch %lu, learning rate %g",
            (unsigned long)a->model.config.hidden, (unsigned long)a->config.batch,
            a->config.learning_rate);
    if (path_in(a, path, sizeof path, "model.safetensors")) return 1;
    if (a->training.iteration &&
        pktseq_save(path, &a->model, &a->codec, &a->training, &a->detector, &a->err))
        return fail("%s%s", a->err.text, "");
    if (write_loss_csv(a)) return 1;
    if (path_in(a, path, sizeof path, "loss.svg")) return 1;
    if (pktseq_loss_svg(path, a->training.point, a->training.points, a->config.point_every, title,
                        &a->err))
        return fail("%s%s", a->err.text, "");
    return 0;
}

// Learns from the sequences that were held out which scores are normal. A model trained by
// likelihood gets the recommended score, others the reference's.
static int calibrate(app *a) {
    pktseq_detector_options options;
    double *weight = (double *)malloc(a->codec.groups * sizeof *weight);
    int bad;
    if (!weight) return fail("out of memory%s%s", "", "");
    options = a->model.config.loss == PKTSEQ_LOSS_NLL
                  ? pktseq_detector_options_recommended(&a->codec, weight)
                  : pktseq_detector_options_default();
    if (options.context > 0) options.context = a->context;
    bad = (!a->detector.memory &&
           pktseq_detector_init(&a->detector, &a->model, a->codec.contexts, &options, NULL,
                                &a->err)) ||
          pktseq_detector_fit(&a->detector, &a->model, &a->held, a->config.threads, &a->err);
    free(weight);
    return bad ? fail("the sequences held out: %s%s", a->err.text, "") : 0;
}

// After every iteration: reports, milestones, Ctrl-C.
static int on_progress(void *user_data, const pktseq_progress *p) {
    app *a = (app *)user_data;
    if ((p->events & (PKTSEQ_EVENT_REPORT | PKTSEQ_EVENT_END)) && !a->quiet) print_progress(a, p);
    if (p->events & PKTSEQ_EVENT_MILESTONE) {
        char path[4096], name[32];
        snprintf(name, sizeof name, "model-%03d.safetensors", p->milestone);
        // With its threshold, so that detect takes a snapshot as it takes the model, and a resumed
        // run the score's settings.
        const pktseq_detector *fitted = a->options.end > 0 && !calibrate(a) ? &a->detector : NULL;
        if (path_in(a, path, sizeof path, name) ||
            pktseq_save(path, p->model, &a->codec, p->training, fitted, &a->save_err))
            return 1;
    }
    return interrupted;
}

static void print_where(const app *a) {
    char range[64];
    printf("\n%lu iterations in ", (unsigned long)(a->training.iteration - a->began_iteration));
    print_time(now() - a->began);
    printf("\n");
    if (a->training.iteration) printf("model       %s/model.safetensors\n", a->out);
    if (a->detector.memory)
        printf("threshold   %.5g (%s) for %g %% false alarms, from %lu held out\n",
               a->detector.threshold,
               output_range(range, a->detector.threshold_low, a->detector.threshold_high),
               100 * a->detector.options.false_alarms, (unsigned long)a->detector.sequences);
    for (size_t i = 0; i < a->config.milestone_count; ++i)
        if ((double)a->config.milestone[i] * (double)a->config.iterations <=
                100 * (double)a->training.iteration &&
            (double)a->config.milestone[i] * (double)a->config.iterations >
                100 * (double)a->began_iteration)
            printf("milestone   %s/model-%03d.safetensors\n", a->out, a->config.milestone[i]);
    printf("loss        %s/loss.csv and %s/loss.svg\n", a->out, a->out);
}

// Makes the dataset of what is held out, and asks the library to train for no iterations: it checks
// that everything fits together, and that there is memory for it, before anything is written.
static int rehearse(app *a) {
    pktseq_train_config config = a->config;
    pktseq_dataset_options held = a->options;
    held.begin = a->options.end;
    held.end = 0;
    if (a->options.end > 0 &&
        pktseq_dataset_init(&a->held, &a->codec, &a->table, &held, NULL, &a->err))
        return fail("the sequences held out: %s%s", a->err.text, "");
    config.iterations = a->training.iteration;
    if (pktseq_train(&a->model, &a->dataset, &config, &a->training, &a->err))
        return fail("%s%s", a->err.text, "");
    return 0;
}

static int run(app *a) {
    pktseq_status status;
    if (a->resume_path ? prepare_resumed(a) : prepare_new(a)) return 1;
    if (rehearse(a) || prepare_folder(a)) return 1;
    if (!a->quiet) print_summary(a);
    a->config.progress = on_progress;
    a->config.user_data = a;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    a->began = now();
    a->began_iteration = a->training.iteration;
    status = pktseq_train(&a->model, &a->dataset, &a->config, &a->training, &a->err);
    if (a->bar) printf("\n");
    if (status && status != PKTSEQ_STOPPED && status != PKTSEQ_ERROR_DIVERGED)
        return fail("%s%s", a->err.text, "");
    if (a->save_err.status) return fail("%s%s", a->save_err.text, "");
    if (status == PKTSEQ_ERROR_DIVERGED) fail("%s%s", a->err.text, "");
    if (a->options.end > 0 && a->training.iteration && calibrate(a)) return 1;
    if (write_results(a)) return 1;
    if (!a->quiet) print_where(a);
    if (status == PKTSEQ_STOPPED && !a->quiet)
        printf("interrupted; go on with --resume %s/model.safetensors\n", a->out);
    return status == PKTSEQ_ERROR_DIVERGED;
}

int main(int argc, char **argv) {
    app *a = (app *)calloc(1, sizeof *a);
    int result;
    if (!a) return fail("out of memory%s%s", "", "");
    a->config = pktseq_train_config_default();
    a->options = pktseq_dataset_options_default();
    a->hidden = 256;
    a->context = 0.75;
    a->out = "run";
    result = parse_options(a, argc, argv);
    if (result == 2) fputs(help_text, stdout);
    if (result == 0) {
        if (!a->data_path) a->data_path = default_data(argv[0]);
        if (a->notebook) a->options.drop_last = pktseq_dataset_options_notebook().drop_last;
        if (a->notebook && !a->given_snapshots) parse_snapshots("40,80,100", &a->config);
        a->bar = !a->quiet && on_terminal();
        result = run(a);
    }
    if (result != 1 && (fflush(stdout) != 0 || ferror(stdout)))
        result = fail("cannot write to standard output%s%s", "", "");
    pktseq_training_free(&a->training);
    pktseq_detector_free(&a->detector);
    pktseq_model_free(&a->model);
    pktseq_dataset_free(&a->dataset);
    pktseq_dataset_free(&a->held);
    pktseq_codec_free(&a->codec);
    pktseq_table_free(&a->table);
    free(a);
    return result == 1;
}
