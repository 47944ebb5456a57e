// cc -O2 -fopenmp examples/train.c -lm -o train && ./train examples/data/normal_export.csv
// Prints a summary of the data, progress, and where the checkpoints, loss.csv and loss.svg lie.
//
// Trains a seq2seq GRU on packet sequences. `train --help` lists the options. Without -fopenmp it
// works the same, on one core.

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTPUT_PROGRAM "train"
#include "choose.h"
#include "options.h"
#include "output.h"
#include "plot.h"

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
    "train [options] [DATA]\n"
    "\n"
    "Trains a seq2seq GRU on the packet sequences in DATA (a capture, pcap or pcapng; or CSV: an\n"
    "export of Wireshark or tshark, or what sequences writes; - is the standard input; default:\n"
    "the data set that comes with pktseq) and writes model.safetensors, loss.csv and loss.svg to\n"
    "a folder. If DATA has labels, sequences with attacks are left out.\n"
    "\n"
    "To find anomalies, use --recommended. The defaults are those of the notebooks that the\n"
    "network comes from: they are for comparisons, find little, and leave no threshold.\n"
    "\n"
    "  --iterations N        in total (100000); a resumed run includes those already done\n"
    "  --epochs X            the same, as passes over the data, above 0\n"
    "  --batch N             sequences an iteration (1)\n"
    "  --hidden N            hidden units (256)\n"
    "  --lr X                learning rate (0.0001)\n"
    "  --momentum X          of SGD, 0 to below 1 (0)\n"
    "  --clip X              largest norm of the gradient, 0 = no limit (0)\n"
    "  --loss mse|nll        squared error, or the likelihood of numbers, flags and classes (mse)\n"
    "  --teacher-forcing P   share of sequences that are fed the true packets, 0 to 1 (0)\n"
    "  --start target|input  the decoder's first token: first target packet, or last input packet\n"
    "                        (target)\n"
    "  --order random|shuffled|file   drawn with replacement, shuffled epochs, or file order\n"
    "                        (random)\n"
    "  --seed N              of weights, order and teacher forcing, up to 2^64 - 1 (1)\n"
    "  --inputs N            packets the encoder sees before the forecast begins (3)\n"
    "  --hold-out X          share of the sequences, in blocks spread over DATA, that are not\n"
    "                        trained on, but tell which scores are normal, for detect (0)\n"
    "  --clean X             leave out sequences that do not fit what is learned without them, up\n"
    "                        to this share of all, and list them in left-out.csv; takes three\n"
    "                        times as long, and such a run cannot be resumed (0)\n"
    "  --context X           with --recommended: share of the pair's last 10 seconds in the score\n"
    "                        (0.65)\n";

static const char help_more[] =
    "  --print-every N       iterations between lines of progress (100)\n"
    "  --plot-every N        iterations that a point of the loss curve is the mean of (100)\n"
    "  --snapshots LIST      percents at which a checkpoint is kept (20,40,55,70,85,100)\n"
    "  --init M.safetensors  start from these weights, if the features mean the same\n"
    "  --continue M.safetensors   train a model further on new traffic, at half the rate; what\n"
    "                        it has not seen gets features after the old ones, and the threshold\n"
    "                        is computed again. Options override the model's settings\n"
    "  --normal ALARMS.json   with --continue: harmless alarms, as lines of detect --json. Their\n"
    "                        sequences are looked up in DATA, learned from several times, and\n"
    "                        raise no alarm any more\n"
    "  --resume M.safetensors   resume an interrupted run, bit for bit, on the same DATA;\n"
    "                        --iterations may be raised, other settings come from the file\n"
    "  --out DIR             folder for the results (run); one run at a time\n"
    "  --threads N           0: OpenMP decides (0)\n"
    "  --tcp-only            only packets of TCP; --notebook implies it\n"
    "  --bad-rows X          percent of rows that may be unreadable, and are then left out (1)\n"
    "  --notebook            everything as the reference notebooks do it: 25 features, the last\n"
    "                        sequence dropped, snapshots 40,80,100\n"
    "  --recommended         what finds anomalies best: features and score for it, each packet\n"
    "                        forecast from those before it, --loss nll --inputs 0 --start input\n"
    "                        --teacher-forcing 1 --hidden 64 --batch 32 --lr 0.1 --momentum 0.9\n"
    "                        --clip 1 --order shuffled --hold-out 0.2 --epochs 6, but at least\n"
    "                        200 iterations; each can be overridden. Leaves a threshold in\n"
    "                        model.safetensors for detect\n"
    "  --quiet               print errors only\n"
    "  --help                this text\n"
    "  --version             the version, and how it was compiled\n"
    "\n"
    "A model records from which data, when and with which settings it was made; SOURCE_DATE_EPOCH\n"
    "in the environment replaces the time. Ctrl-C, SIGTERM or a closed terminal ends a run early;\n"
    "its state is saved and can be resumed. If other programs need the same cores, set\n"
    "OMP_WAIT_POLICY=passive (as make run does) or --threads 1.\n";

#define LOCK_NAME ".pktseq-train.lock"

// What the command line requests, and everything made from it.
typedef struct app {
    const char *data_path, *init_path, *resume_path, *continue_path, *normal_path, *out;
    int notebook, recommended, quiet, bar, tcp_only;
    double bad_rows;         // percents
    int given_iterations, given_epochs, given_hidden, given_print;
    const char *snapshots;   // as given, or NULL
    size_t threads;
    double *held_loss;       // (held_points) of sequences held out, at each loss point, or NAN
    size_t held_points;
    double clean;            // share of the sequences that may be left out since they fit worst
    chosen choice;           // which sequences are learned from, by --clean and --normal
    int lock;                // descriptor of the folder's lock
    int reached;             // the run got as far as reading the data
    int saved;               // model.safetensors is this run's
    unsigned char kept[101]; // percents at which a checkpoint was kept
    pktseq_recipe recipe;    // every setting of the run
    pktseq_table table;
    pktseq_dataset dataset;
    pktseq_guard guard;      // what is learned; its detector is fitted, if some are held out
    pktseq_guard old;        // the model of --continue
    double began;            // seconds
    size_t began_iteration;
    pktseq_error err;
    pktseq_error save_err;   // of a checkpoint saved during the run
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

// ---- the command line

// Parses rising percents, "20,40,100". Returns 0 if they are not.
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

// Loads the model of --continue, whose settings become the defaults of all options.
static int set_continued(app *a, const char *path) {
    const char *wrong = input_wrong(path, 1);
    const pktseq_guard *old = &a->old;
    pktseq_guard_options options;
    if (wrong) return fail("%s %s", path, wrong);
    memset(&options, 0, sizeof options);
    options.threshold = HUGE_VAL;  // it is made anew, so the model need not have one
    if (pktseq_guard_load(&a->old, path, &options, &a->err)) return fail("%s", a->err.text);
    pktseq_recipe_from_model(&a->recipe, &old->model, &old->codec, &old->training,
                             old->detector.sequences ? &old->detector : NULL, NULL);
    return 0;
}

// Checks options that exclude each other, and derives settings from others. Returns 0 if all is
// well.
//   fixed      an option that a resumed run cannot change, or NULL
//   of_model   an option that --continue cannot change, or NULL
static int settle_options(app *a, int order, int start, int loss, const char *fixed,
                          const char *of_model) {
    pktseq_recipe *r = &a->recipe;
    r->train.order = (pktseq_order)order;
    r->dataset.start = (pktseq_start)start;
    r->loss = (pktseq_loss)loss;
    r->train.threads = (int)a->threads;
    if (a->given_iterations) r->epochs = 0;
    if (a->given_epochs) r->min_iterations = 1;
    if (a->snapshots && !parse_snapshots(a->snapshots, &a->recipe.train))
        return fail("option --snapshots: found \"%s\", expected rising percents as in 20,40,100",
                    a->snapshots);
    if (a->given_iterations && a->given_epochs)
        return fail("--iterations and --epochs exclude each other");
    if (a->notebook && a->recommended)
        return fail("--notebook and --recommended exclude each other");
    if (a->resume_path && (a->recommended || a->notebook))
        return fail("leave %s out with --resume: the settings come from the model",
                    a->recommended ? "--recommended" : "--notebook");
    if ((a->init_path != NULL) + (a->resume_path != NULL) + (a->continue_path != NULL) > 1)
        return fail("--init, --continue and --resume exclude each other");
    if (a->continue_path && (a->recommended || a->notebook || of_model))
        return fail("%s cannot be changed where a model goes on; it comes from %s",
                    a->recommended ? "--recommended" : a->notebook ? "--notebook" : of_model,
                    a->continue_path);
    if (a->resume_path && a->clean > 0) fixed = "--clean";
    if (a->normal_path && !a->continue_path)
        return fail("--normal needs --continue M.safetensors, the model that raised the alarms");
    if (a->resume_path && fixed)
        return fail("%s cannot be changed in a resumed run; it comes from %s", fixed,
                    a->resume_path);
    return 0;
}

// Parses the command line. Returns 0; 1 after an error, which was printed; 2 after --help or
// --version.
static int parse_options(app *a, int argc, char **argv) {
    // The first options are those that a resumed run takes from its checkpoint; some of them are
    // the model's.
    enum { OF_RUN = 18 };
    static const char of_model_names[] = "--hidden|--loss|--start|--inputs|--tcp-only";
    int given[OF_RUN], order, start, loss, asked;
    const char *fixed = NULL, *continued = NULL, *of_model = NULL;
    char message[1024];
    memset(given, 0, sizeof given);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; ++i)
        if (strcmp(argv[i], "--recommended") == 0)
            pktseq_recipe_recommended(&a->recipe, NULL, NULL);  // other options go before it
        else if (strncmp(argv[i], "--continue", 10) == 0 && (argv[i][10] == '=' || !argv[i][10]))
            continued = argv[i][10] ? argv[i] + 11 : argv[i + 1];
    if (continued && *continued && strncmp(continued, "--", 2) != 0 && set_continued(a, continued))
        return 1;  // else the list says what is wrong with the name
    order = (int)a->recipe.train.order;
    start = (int)a->recipe.dataset.start;
    loss = (int)a->recipe.loss;
    pktseq_train_config *train = &a->recipe.train;
    const option list[] = {
        {"--notebook", OPTION_FLAG, &a->notebook, 0, 0, 0, NULL, &given[0]},
        {"--recommended", OPTION_FLAG, &a->recommended, 0, 0, 0, NULL, &given[1]},
        {"--epochs", OPTION_NUMBER, &a->recipe.epochs, 0, 1e6, 1, NULL, &a->given_epochs},
        {"--batch", OPTION_WHOLE, &train->batch, 1, 1e6, 0, NULL, &given[3]},
        {"--hidden", OPTION_WHOLE, &a->recipe.hidden, 1, 65536, 0, NULL, &a->given_hidden},
        {"--lr", OPTION_NUMBER, &train->learning_rate, 0, 1e30, 0, NULL, &given[5]},
        {"--momentum", OPTION_NUMBER, &train->momentum, 0, 0.999999, 0, NULL, &given[6]},
        {"--clip", OPTION_NUMBER, &train->clip, 0, 1e30, 0, NULL, &given[7]},
        {"--loss", OPTION_CHOICE, &loss, 0, 0, 0, "mse|nll", &given[8]},
        {"--teacher-forcing", OPTION_NUMBER, &train->teacher_forcing, 0, 1, 0, NULL, &given[9]},
        {"--start", OPTION_CHOICE, &start, 0, 0, 0, "target|input", &given[10]},
        {"--order", OPTION_CHOICE, &order, 0, 0, 0, "random|shuffled|file", &given[11]},
        {"--seed", OPTION_SEED, &train->seed, 0, 0, 0, NULL, &given[12]},
        {"--inputs", OPTION_WHOLE, &a->recipe.dataset.inputs, 0, 1e6, 0, NULL, &given[13]},
        {"--hold-out", OPTION_NUMBER, &a->recipe.dataset.hold_out, 0, 0.99, 0, NULL, &given[14]},
        {"--context", OPTION_NUMBER, &a->recipe.context, 0, 0.99, 0, NULL, &given[15]},
        {"--plot-every", OPTION_WHOLE, &train->loss_interval, 1, 1e15, 0, NULL, &given[16]},
        {"--tcp-only", OPTION_FLAG, &a->tcp_only, 0, 0, 0, NULL, &given[17]},
        {"--iterations", OPTION_WHOLE, &train->iterations, 1, 1e15, 0, NULL,
         &a->given_iterations},
        {"--print-every", OPTION_WHOLE, &train->report_interval, 1, 1e15, 0, NULL, &a->given_print},
        OPTION_TEXT_OF("--snapshots", &a->snapshots), OPTION_TEXT_OF("--init", &a->init_path),
        OPTION_TEXT_OF("--continue", &a->continue_path),
        OPTION_TEXT_OF("--resume", &a->resume_path), OPTION_TEXT_OF("--out", &a->out),
        {"--threads", OPTION_WHOLE, &a->threads, 0, 1024, 0, NULL, NULL},
        {"--bad-rows", OPTION_NUMBER, &a->bad_rows, 0, 100, 0, NULL, NULL},
        OPTION_TEXT_OF("--normal", &a->normal_path),
        {"--clean", OPTION_NUMBER, &a->clean, 0, 0.5, 0, NULL, NULL},
        OPTION_FLAG_OF("--quiet", &a->quiet)};
    asked = option_parse(list, sizeof list / sizeof *list, argc, argv, &a->data_path, message,
                         sizeof message);
    if (asked == 1) return fail("%s", message);
    if (asked == 2) printf("%s%s", help_text, help_more);
    if (asked == 3) printf("train, %s\n", pktseq_build_info());
    if (asked) return 2;
    for (int k = OF_RUN; k-- > 0;) {
        if (!*list[k].given) continue;
        fixed = list[k].name;
        if (option_place(of_model_names, fixed) >= 0) of_model = fixed;
    }
    if (a->init_path && !fixed) fixed = "--init";
    return settle_options(a, order, start, loss, a->resume_path ? fixed : NULL, of_model);
}

// ---- data and model

// Writes what the model records about itself: data, date, version; and settings, on a second line.
static void make_recipe(app *a) {
    static const char *const order[] = {"random", "shuffled", "file"};
    const char *epoch = getenv("SOURCE_DATE_EPOCH"), *base = strcmp(a->data_path, "-") == 0
                                                                 ? "standard input" : a->data_path;
    const pktseq_train_config *c = &a->recipe.train;
    char *text = a->guard.training.description, date[32], name[160];
    size_t size = sizeof a->guard.training.description, n;
    uint64_t when = (uint64_t)time(NULL);
    if (epoch) option_digits(epoch, &when);
    for (const char *p = base; *p; ++p)
        if ((*p == '/' || *p == '\\') && p[1]) base = p + 1;
    snprintf(name, sizeof name, "%s", output_shown(base));
    output_whole_characters(name);
    for (size_t i = 0, bytes; name[i]; i += bytes ? bytes : 1) {  // a checkpoint's text is UTF-8
        unsigned long code;
        bytes = output_utf8((const unsigned char *)name + i, &code);
        if (!bytes) name[i] = '_';
    }
    n = (size_t)snprintf(text, size, "%s, %lu packets in %lu sequences, %s, pktseq %s\n", name,
                         (unsigned long)a->table.rows, (unsigned long)a->table.sequences,
                         output_date(date, (time_t)when), pktseq_version());
    snprintf(text + n, size - n,
             "%shidden %lu, inputs %lu, %s, %s, batch %lu, lr %g, momentum %g, clip %g, teacher "
             "forcing %g, %s, seed %llu, held out %.4g %%%s",
             a->recommended ? "--recommended: " : a->notebook ? "--notebook: " : "",
             (unsigned long)a->guard.model.config.hidden,
             (unsigned long)a->guard.model.config.inputs,
             a->guard.model.config.loss == PKTSEQ_LOSS_NLL ? "nll" : "mse",
             a->guard.model.config.start == PKTSEQ_START_INPUT ? "start input" : "start target",
             (unsigned long)c->batch, c->learning_rate, c->momentum, c->clip, c->teacher_forcing,
             order[c->order], (unsigned long long)c->seed, 100 * a->recipe.dataset.hold_out,
             a->init_path       ? ", from other weights"
             : a->continue_path ? ", goes on with a model" : "");
    n = strlen(text);
    if (a->clean > 0 && n < size)
        snprintf(text + n, size - n, ", %lu sequences left out", (unsigned long)a->choice.left_out);
}

static int exists(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file) fclose(file);
    return file != NULL;
}

// Returns the path of the repository's data set: from its top folder, from examples/, or beside the
// program.
static const char *default_data(const char *program) {
    static char beside[1024];
    const char *slash = strrchr(program, '/');
    if (exists("examples/data/normal_export.csv")) return "examples/data/normal_export.csv";
    if (exists("data/normal_export.csv")) return "data/normal_export.csv";
    if (slash && (size_t)(slash - program) < 900) {
        snprintf(beside, sizeof beside, "%.*s/examples/data/normal_export.csv",
                 (int)(slash - program), program);
        if (exists(beside)) return beside;
    }
    return "examples/data/normal_export.csv";
}

// Columns that are kept to identify sequences; without --clean the first is enough.
static const char *const keep_columns[] = {"label", "timestamp", "src_ip", "dst_ip", "src_port",
                                           "dst_port"};

// Decides which columns are read, now that all options are known, and reads the data.
static int read_data(app *a) {
    pktseq_schema *schema = &a->recipe.schema;
    schema->rule.tcp_only |= a->tcp_only;
    schema->bad_rows = a->bad_rows > 0 ? a->bad_rows / 100 : -1;
    schema->keep = keep_columns;
    schema->keep_count = 1;
    if (a->clean > 0 || a->normal_path)
        schema->keep_count = sizeof keep_columns / sizeof *keep_columns;
    return input_read(&a->table, a->data_path, schema, &a->err) ? fail("%s", a->err.text) : 0;
}

// Replaces the new weights by those of --init, whose features must mean the same.
static int start_from(app *a, const char *path) {
    pktseq_config *config = &a->guard.model.config;
    pktseq_model init, grown;
    pktseq_codec codec;
    const char *wrong = input_wrong(path, 1);
    int bad = 1;
    if (wrong) return fail("%s %s", path, wrong);
    if (pktseq_load(&init, &codec, NULL, NULL, path, NULL, &a->err)) return fail("%s", a->err.text);
    if (codec.field_count && pktseq_codec_same(&codec, &a->guard.codec, &a->err))
        fail("%s: its features are not those of %s (%s): --continue goes on with it, --init cannot",
             path, input_name(a->data_path), a->err.text);
    else if (init.config.in != config->in || init.config.out != config->out ||
             (a->given_hidden && init.config.hidden != config->hidden))
        fail("%s has %lu features in, %lu out and %lu hidden units, expected %lu, %lu and %lu",
             path, (unsigned long)init.config.in, (unsigned long)init.config.out,
             (unsigned long)init.config.hidden, (unsigned long)config->in,
             (unsigned long)config->out,
             (unsigned long)(a->given_hidden ? config->hidden : init.config.hidden));
    else bad = 0;
    if (!bad && pktseq_model_grow(&grown, config, &init, NULL, NULL, NULL, &a->err))
        bad = fail("a model of this size: %s", a->err.text);
    else if (!bad) {
        pktseq_model_free(&a->guard.model);
        a->guard.model = grown;
    }
    pktseq_codec_free(&codec);
    pktseq_model_free(&init);
    return bad;
}

// ---- leaving out what fits worst

// Scores every sequence of the table with the model that was just trained, into score (sequences);
// 0 for those that are too short.
static int score_table(app *a, double *score) {
    pktseq_dataset all;
    pktseq_dataset_options options = a->recipe.dataset;
    double *of_pair = NULL;
    int bad;
    options.repeats = NULL;
    options.hold_out = 0;
    if (pktseq_dataset_init(&all, &a->guard.codec, &a->table, &options, NULL, &a->err)) return 1;
    of_pair = (double *)malloc((all.pairs + 1) * sizeof *of_pair);
    bad = !of_pair || pktseq_detector_score_all(&a->guard.detector, &a->guard.model, &all,
                                                a->recipe.train.threads, of_pair, &a->err);
    memset(score, 0, a->table.sequences * sizeof *score);
    for (size_t i = 0, s = 0; !bad && i < all.pairs; ++i) {
        while (a->table.start[s] < all.first_row[i]) ++s;
        score[s] = of_pair[i];
    }
    free(of_pair);
    pktseq_dataset_free(&all);
    return bad;
}

// Makes codec, dataset and model for the sequences of a->choice.
static pktseq_status prepare_round(app *a) {
    a->recipe.dataset.repeats = a->choice.repeats;
    return pktseq_recipe_prepare(&a->recipe, &a->table, a->continue_path ? &a->old.codec : NULL,
                                 a->continue_path ? &a->old.model : NULL, &a->guard.codec,
                                 &a->dataset, &a->guard.model, NULL, &a->err);
}

// Fits the detector to the sequences that were held out.
static int calibrate(app *a) {
    pktseq_guard *g = &a->guard;
    return pktseq_recipe_calibrate(&a->recipe, &g->model, &g->codec, &a->dataset, &g->detector,
                                   &a->err)
               ? fail("the scores of normal sequences: %s", a->err.text) : 0;
}

// Trains on the sequences of a->choice, and scores all.
static int clean_round(app *a, double *score) {
    pktseq_guard *g = &a->guard;
    pktseq_train_config config = a->recipe.train;
    int bad = prepare_round(a) != PKTSEQ_OK;
    config.iterations = bad ? 0 : pktseq_recipe_iterations(&a->recipe, &a->dataset);
    bad = bad || pktseq_train(&g->model, &a->dataset, &config, &g->training, &a->err) ||
          pktseq_recipe_calibrate(&a->recipe, &g->model, &g->codec, &a->dataset, &g->detector,
                                  &a->err) || score_table(a, score);
    pktseq_guard_free(g);
    pktseq_dataset_free(&a->dataset);
    return bad;
}

static int path_in(const app *a, char *path, size_t size, const char *name);

// Lists what is left out: all of it in a file, the first five on the terminal.
static int list_left_out(app *a, const double *score, double *sorted) {
    char path[4096];
    output o;
    if (path_in(a, path, sizeof path, "left-out.csv")) return 1;
    if (!a->quiet)
        printf("left out    %lu of %lu sequences fit worst what was learned without them; they may "
               "be attacks: %s\n", (unsigned long)a->choice.left_out,
               (unsigned long)a->table.sequences, output_shown(path));
    return choose_list(&a->choice, &a->table, score, sorted, path, a->quiet ? 0 : 5, &o)
               ? 0 : fail("cannot write %s: %s", path, o.reason);
}

static int prepare_folder(app *a);

// Leaves out the sequences that fit worst: trains on all, then without the share that fits worst,
// and finds with that second model the ones that do not fit.
static int clean_data(app *a) {
    size_t n;
    double *score, *sorted;
    int bad = 0;
    if (pktseq_table_drop_attacks(&a->table, &a->err)) return fail("%s", a->err.text);
    if (prepare_folder(a)) return 1;
    n = a->table.sequences;
    score = (double *)malloc(n * sizeof *score);
    sorted = (double *)malloc(n * sizeof *sorted);
    if (score && sorted && choose_all(&a->choice, n)) {
        for (int round = 0; round < 2 && !bad; ++round) {
            if (!a->quiet) printf("cleaning    round %d of 2\n", round + 1);
            fflush(stdout);
            bad = clean_round(a, score);
            if (bad) fail("%s: %s", input_name(a->data_path), a->err.text);
            else choose_best(&a->choice, a->clean, score, n, round, sorted);
        }
        bad = bad || list_left_out(a, score, sorted);
    } else {
        bad = fail("out of memory");
    }
    free(score);
    free(sorted);
    return bad;
}

// ---- alarms that are harmless

// Reads the harmless alarms of --normal, and marks their sequences.
static int mark_normal(app *a) {
    pktseq_buffer file;
    char *lines;
    size_t lost, size;
    if (!a->normal_path) return 0;
    if (!a->choice.repeats && !choose_all(&a->choice, a->table.sequences))
        return fail("out of memory");
    if (pktseq_file_read(&file, a->normal_path, NULL, NULL, &a->err))
        return fail("%s", a->err.text);
    size = file.size + 1;
    lines = (char *)malloc(size);
    if (lines && file.size) memcpy(lines, file.data, file.size);
    pktseq_buffer_free(&file);
    if (!lines) return fail("out of memory");
    lines[size - 1] = '\n';  // an editor may leave the last line without one
    lost = choose_harmless(&a->choice, &a->table, a->recipe.false_positive_rate, lines, size);
    free(lines);
    if (a->choice.marked == 0)
        return fail("%s: no alarm there is one of a sequence of %s, expected lines that "
                    "detect --json has written for it", a->normal_path,
                    input_name(a->data_path));
    if (lost && !a->quiet)
        printf("warning     %lu alarms of %s are of no sequence here\n", (unsigned long)lost,
               output_shown(a->normal_path));
    return 0;
}

// Prepares --continue: codec and weights of a model, with features for what is new.
static int prepare_continued(app *a) {
    if (read_data(a)) return 1;
    if (pktseq_table_drop_attacks(&a->table, &a->err)) return fail("%s", a->err.text);
    if (a->clean > 0 && clean_data(a)) return 1;
    if (mark_normal(a)) return 1;
    if (prepare_round(a)) return fail("%s: %s", input_name(a->data_path), a->err.text);
    a->recipe.train.iterations = pktseq_recipe_iterations(&a->recipe, &a->dataset);
    make_recipe(a);
    return 0;
}

// Prepares a new run: codec from the data, weights drawn or from --init.
static int prepare_new(app *a) {
    pktseq_guard_options options;
    pktseq_recipe recommended;
    memset(&options, 0, sizeof options);
    options.context = a->recipe.context > 0 ? a->recipe.context : -1;
    if (a->notebook) a->recipe.schema = pktseq_schema_reference();
    if (a->recommended && !pktseq_recipe_recommended(&recommended, &options, &a->err))
        a->recipe.schema = recommended.schema;
    if (read_data(a)) return 1;
    if (a->clean > 0 && clean_data(a)) return 1;
    if (prepare_round(a))
        return fail("%s: %s", input_name(a->data_path), a->err.text);
    a->recipe.train.iterations = pktseq_recipe_iterations(&a->recipe, &a->dataset);
    if (a->init_path && start_from(a, a->init_path)) return 1;
    make_recipe(a);
    return 0;
}

// Prepares --resume: everything but the packets comes from the checkpoint.
static int prepare_resumed(app *a) {
    pktseq_guard *g = &a->guard;
    pktseq_train_config asked = a->recipe.train;
    const char *wrong = input_wrong(a->resume_path, 1);
    if (wrong) return fail("%s %s", a->resume_path, wrong);
    if (pktseq_load(&g->model, &g->codec, &g->training, &g->detector, a->resume_path, NULL,
                    &a->err))
        return fail("%s", a->err.text);
    if (!g->training.iteration || !g->codec.field_count)
        return fail("%s holds no interrupted training run (--init takes weights alone)",
                    a->resume_path);
    a->recipe.train = g->training.config;
    if (a->given_iterations) a->recipe.train.iterations = asked.iterations;
    if (a->recipe.train.iterations < g->training.iteration)
        return fail("%s has done more iterations than --iterations asks for", a->resume_path);
    if (a->given_print) a->recipe.train.report_interval = asked.report_interval;
    a->recipe.train.threads = asked.threads;
    if (a->snapshots) {
        memcpy(a->recipe.train.milestone, asked.milestone, sizeof asked.milestone);
        a->recipe.train.milestone_count = asked.milestone_count;
    }
    a->recipe.schema = pktseq_codec_schema(&g->codec);
    if (g->detector.memory) {
        a->recipe.context = g->detector.options.context;
        a->recipe.false_positive_rate = g->detector.options.false_positive_rate;
    }
    a->recipe.dataset.hold_out = g->training.hold_out;
    a->recipe.dataset.inputs = g->model.config.inputs;
    a->recipe.dataset.start = g->model.config.start;
    a->recipe.dataset.drop_last = (int)g->training.drop_last;
    if (read_data(a)) return 1;
    if (pktseq_table_drop_attacks(&a->table, &a->err) ||
        pktseq_dataset_init(&a->dataset, &g->codec, &a->table, &a->recipe.dataset, NULL, &a->err))
        return fail("%s: %s", input_name(a->data_path), a->err.text);
    return 0;
}

// ---- what is printed

// Prints one packet in its own units: every field, and the names of the flags that are set.
static void print_packet(const app *a, const char *what, size_t number, size_t row) {
    pktseq_value *value = (pktseq_value *)malloc(a->guard.codec.field_count * sizeof *value);
    pktseq_real *x = (pktseq_real *)malloc(a->guard.codec.features * sizeof *x);
    if (!value || !x) {
        free(value);
        free(x);
        return;
    }
    pktseq_dataset_dense(&a->dataset, row, x, NULL);
    pktseq_codec_decode(&a->guard.codec, x, value);
    free(x);
    printf("  %-7s%3lu ", what, (unsigned long)number);
    for (size_t f = 0; f < a->guard.codec.field_count; ++f) {
        if (a->guard.codec.field[f].kind == PKTSEQ_FLAG ||
            a->guard.codec.field[f].role == PKTSEQ_ROLE_CONTEXT)
            continue;
        if (value[f].text)
            printf(" %10s", output_shown(value[f].text));
        else
            printf(" %10.6g", value[f].number);
    }
    printf("  ");
    for (size_t f = 0; f < a->guard.codec.field_count; ++f)
        if (a->guard.codec.field[f].kind == PKTSEQ_FLAG && value[f].number > 0)
            printf(" %s", output_shown(a->guard.codec.field[f].column));
    printf("\n");
    free(value);
}

static void print_features(const app *a) {
    printf("features    %lu from %lu columns\n", (unsigned long)a->guard.codec.features,
           (unsigned long)a->guard.codec.field_count);
    for (size_t f = 0; f < a->guard.codec.field_count; ++f) {
        const pktseq_field *field = &a->guard.codec.field[f];
        printf("  %-10s", output_shown(field->column));
        if (field->category_count) {
            int spaces = 0;  // within names
            for (size_t k = 0; k < field->category_count; ++k)
                spaces |= strchr(field->category[k], ' ') != NULL;
            for (size_t k = 0; k < field->category_count && k < 20; ++k)
                printf(" %s%s", k && spaces ? "| " : "",
                       output_shown(field->category[k]));
            if (field->category_count > 20)
                printf(" ... (%lu)", (unsigned long)field->category_count);
            if (a->dataset.unknown[f])
                printf("  (%lu cells are none of these)", (unsigned long)a->dataset.unknown[f]);
        } else if (field->role == PKTSEQ_ROLE_CONTEXT) {
            printf(" context");
        } else if (field->kind == PKTSEQ_FLAG) {
            printf(" 0 or 1");
        } else if (field->kind == PKTSEQ_PORT || field->kind == PKTSEQ_PORT_REFERENCE) {
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

// Prints why packets are in no sequence, one line for each reason.
static void print_cut(const pktseq_table_counts *cut) {
    if (cut->dropped)
        printf("            %lu are of protocols that the notebook drops\n",
               (unsigned long)cut->dropped);
    if (cut->remainder)
        printf("            %lu at the end are too few for a sequence\n",
               (unsigned long)cut->remainder);
}

// Prints how many features --continue added.
static void print_continued(const app *a) {
    const pktseq_codec *old = &a->old.codec;
    printf("goes on     with %s", output_shown(a->continue_path));
    if (a->guard.codec.features == old->features) printf(": nothing is new to it\n");
    else printf(": %lu new features, the last ones of their column\n",
                (unsigned long)(a->guard.codec.features - old->features));
}

static void print_summary(const app *a) {
    const pktseq_dataset *d = &a->dataset;
    size_t shown = (size_t)(a->recipe.train.seed * 2654435761u % d->pairs);
    pktseq_pair pair = pktseq_dataset_pair(d, shown);
    char warning[1024];
    for (size_t i = 0; input_warning(&a->table, i, warning, sizeof warning); ++i)
        printf("warning     %s\n", output_shown(warning));
    if (a->table.sequences < 100)
        printf("warning     only %lu sequences: the model will be %s; 1000 or more make a "
               "threshold that can be promised\n", (unsigned long)a->table.sequences,
               a->table.sequences < 20 ? "of no use" : "poor");
    if (!a->resume_path && !a->continue_path && !a->recommended && !a->notebook)
        printf("settings    these are the reference's, which find little: --recommended finds "
               "more\n");
    printf("data        %s\n", output_shown(input_name(a->data_path)));
    printf("packets     %lu", (unsigned long)a->table.rows);
    if (a->table.counts.packets > a->table.rows)
        printf(" of %lu", (unsigned long)a->table.counts.packets);
    printf("\n");
    print_cut(&a->table.counts);
    printf("sequences   %lu", (unsigned long)a->table.sequences);
    if (a->table.position_gaps)
        printf(" (%lu rows do not follow the position before them)",
               (unsigned long)a->table.position_gaps);
    printf("\npairs       %lu of %lu input packets and 1 to %lu target packets",
           (unsigned long)d->pairs, (unsigned long)d->options.inputs, (unsigned long)d->longest);
    if (d->skipped) printf(" (%lu sequences are too short)", (unsigned long)d->skipped);
    if (d->options.drop_last) printf(" (the last sequence is dropped)");
    if (a->choice.marked)
        printf(" (%lu sequences several times, as harmless)", (unsigned long)a->choice.marked);
    if (a->choice.left_out) printf(" (%lu are left out)", (unsigned long)a->choice.left_out);
    if (d->trained < d->pairs)
        printf(" (%lu are held out)", (unsigned long)(d->pairs - d->trained));
    printf("\n");
    print_features(a);
    if (a->guard.codec.targets == a->guard.codec.features) {
        printf("pair %lu, for example:\n", (unsigned long)shown);
        for (size_t i = 0; i < pair.inputs; ++i)
            print_packet(a, "input", i + 1, d->first_row[shown] + i);
        for (size_t i = 0; i < pair.targets && i < 8; ++i)
            print_packet(a, "target", i + 1, d->first_row[shown] + pair.inputs + i);
        if (pair.targets > 8) printf("  ... %lu more\n", (unsigned long)(pair.targets - 8));
    }
    printf("model       %lu parameters, hidden size %lu\n",
           (unsigned long)a->guard.model.parameters, (unsigned long)a->guard.model.config.hidden);
    if (a->continue_path) print_continued(a);
    printf("library     %s\n", pktseq_build_info());
    if (a->resume_path)
        printf("resumed     after %lu iterations\n", (unsigned long)a->guard.training.iteration);
    printf("\n");
    if (!a->bar)
        printf("time (- left) (iterations, share of all) loss in %s a packet\n",
               a->guard.model.config.loss == PKTSEQ_LOSS_NLL ? "nats" : "squared errors");
    fflush(stdout);
}

static void print_time(double seconds) {
    long minutes = (long)(seconds / 60);
    printf("%ldm %lds", minutes, (long)(seconds - 60 * (double)minutes));
}

// Prints `elapsed (- remaining) (iteration percent%) loss`, as the reference does, or a bar on a
// terminal.
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
        return fail("the name of folder %s is too long", a->out);
    return 0;
}

// Locks the folder for this run, until the process ends in whatever way. Where files cannot be
// locked, it continues without.
static int lock_folder(app *a) {
#ifdef OUTPUT_POSIX
    char path[4096];
    if (path_in(a, path, sizeof path, LOCK_NAME)) return 1;
    for (int k = 0; k < 10; ++k) {
        struct flock lock;
        struct stat held, there;
        memset(&lock, 0, sizeof lock);
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        a->lock = open(path, O_RDWR | O_CREAT, 0666);
        if (a->lock < 0) return fail("cannot write into folder %s: %s", a->out, strerror(errno));
        if (fcntl(a->lock, F_SETLK, &lock) != 0) {
            if (errno != EACCES && errno != EAGAIN) return 0;
            if (fcntl(a->lock, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) lock.l_pid = 0;
            close(a->lock);
            a->lock = -1;
            return fail("another train (process %ld) is writing into folder %s: wait for it, or "
                        "give --out another folder", (long)lock.l_pid, a->out);
        }
        // The other process may have removed, just now, the file that was locked here.
        if (fstat(a->lock, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev &&
            held.st_ino == there.st_ino)
            return 0;
        close(a->lock);
        a->lock = -1;
    }
#endif
    return 0;
}

static void unlock_folder(const app *a) {
#ifdef OUTPUT_POSIX
    char path[4096];
    if (a->lock < 0 || path_in(a, path, sizeof path, LOCK_NAME)) return;
    remove(path);
    close(a->lock);
#else
    (void)a;
#endif
}

// Makes the folder and those above it, and checks that files can be written there.
static int prepare_folder(app *a) {
    char path[4096];
    const char *reason;
    int why = 0;
    if (path_in(a, path, sizeof path, "model.safetensors")) return 1;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        why = make_folder(path) == 0 || errno == EEXIST ? 0 : why ? why : errno;
        *slash = '/';
    }
    if (why && input_what(a->out) != INPUT_FOLDER)
        return fail("cannot write into folder %s: %s", a->out, strerror(why));
    if (a->lock < 0 && lock_folder(a)) return 1;
    reason = output_probe(path);
    return reason ? fail("cannot write into folder %s: %s", a->out, reason) : 0;
}

static int write_loss_csv(const app *a) {
    const size_t line = 64;  // no line is longer
    char path[4096], *text;
    size_t size;
    pktseq_error err;
    pktseq_status status;
    if (path_in(a, path, sizeof path, "loss.csv")) return 1;
    text = (char *)malloc((a->guard.training.losses + 1) * line);
    if (!text) return fail("out of memory");
    size = (size_t)snprintf(text, line, "iteration,loss\n");
    for (size_t i = 0; i < a->guard.training.losses; ++i)
        size += (size_t)snprintf(text + size, line, "%lu,%.9g\n",
                                 (unsigned long)((i + 1) * a->recipe.train.loss_interval),
                                 a->guard.training.loss[i]);
    status = pktseq_file_write(path, text, size, NULL, &err);
    free(text);
    return status ? fail("%s", err.text) : 0;
}

// Writes the results of a run, also of one that was interrupted or diverged.
static int write_results(app *a) {
    char path[4096], title[128];
    output o;
    int good;
    snprintf(title, sizeof title, "Training loss: hidden %lu, batch %lu, learning rate %g",
            (unsigned long)a->guard.model.config.hidden, (unsigned long)a->recipe.train.batch,
            a->recipe.train.learning_rate);
    if (path_in(a, path, sizeof path, "model.safetensors")) return 1;
    if (a->guard.training.iteration &&
        pktseq_guard_save(&a->guard, path, &a->err))
        return fail("%s", a->err.text);
    a->saved = a->guard.training.iteration > 0;
    if (write_loss_csv(a)) return 1;
    if (path_in(a, path, sizeof path, "loss.svg")) return 1;
    while (a->held_loss && a->held_points < a->guard.training.losses)
        a->held_loss[a->held_points++] = (double)NAN;
    good = output_open(&o, path);
    if (good)
        good = output_close(&o, plot_loss(o.file, a->guard.training.loss, a->held_loss,
                                          a->guard.training.losses, a->recipe.train.loss_interval,
                                          title));
    return good ? 0 : fail("cannot write %s: %s", path, o.reason);
}

// Returns the mean loss of up to 256 sequences that are held out, fed as in training; NAN without
// memory.
static double measure_held(const app *a) {
    enum { BATCH = 32, MOST = 256 };
    const pktseq_dataset *d = &a->dataset;
    size_t held = d->pairs - d->trained, use = held < MOST ? held : (size_t)MOST;
    unsigned char teacher[BATCH];
    double sum = 0;
    pktseq_work work;
    if (pktseq_work_init(&work, &a->guard.model.config, BATCH, d->longest, 1, NULL, NULL))
        return (double)NAN;
    memset(teacher, a->recipe.train.teacher_forcing >= 0.5, sizeof teacher);
    for (size_t from = 0, n; from < use; from += n) {
        pktseq_pair pair[BATCH];
        for (n = 0; n < BATCH && from + n < use; ++n)
            pair[n] = pktseq_dataset_pair(d, d->trained + (from + n) * held / use);
        if (pktseq_forward(&a->guard.model, &work, pair, n, teacher)) sum = (double)NAN;
        sum += work.report * (double)n;
    }
    pktseq_work_free(&work);
    return sum / (double)use;
}

// Measures the held-out loss about thirty times in a run, for the picture.
static void follow_held(app *a, size_t points) {
    size_t all = a->recipe.train.iterations / a->recipe.train.loss_interval, step = all / 30 + 1;
    double *larger;
    if (a->dataset.trained >= a->dataset.pairs) return;
    larger = (double *)realloc(a->held_loss, points * sizeof *larger);
    if (!larger) return;
    a->held_loss = larger;
    while (a->held_points + 1 < points) larger[a->held_points++] = (double)NAN;
    larger[a->held_points++] = points % step == 0 || points == all ? measure_held(a) : (double)NAN;
}

// Called after every iteration: reports, milestones, Ctrl-C.
static int on_progress(void *user_data, const pktseq_progress *p) {
    app *a = (app *)user_data;
    if ((p->events & (PKTSEQ_EVENT_REPORT | PKTSEQ_EVENT_END)) && !a->quiet) print_progress(a, p);
    if (p->events & PKTSEQ_EVENT_LOSS) follow_held(a, p->training->losses);
    if (p->events & PKTSEQ_EVENT_MILESTONE) {
        char path[4096], name[32];
        snprintf(name, sizeof name, "model-%03d.safetensors", p->milestone);
        // With a threshold, so that detect can use a snapshot like the model; a resumed run takes
        // the settings of scores from it.
        const pktseq_detector *fitted = NULL;
        if (a->dataset.trained < a->dataset.pairs && !calibrate(a)) fitted = &a->guard.detector;
        if (path_in(a, path, sizeof path, name) ||
            pktseq_save(p->model, &a->guard.codec, p->training, fitted, path, &a->save_err))
            return 1;
        a->kept[p->milestone] = 1;
    }
    return interrupted;
}

// Prints how many sequences of --normal are still above the threshold. They are those of several
// pairs, which follow one another.
static int check_marked(const app *a) {
    const pktseq_dataset *d = &a->dataset;
    double *score = (double *)malloc(d->pairs * sizeof *score);
    size_t above = 0;
    pktseq_error err;
    int bad = !score || pktseq_detector_score_all(&a->guard.detector, &a->guard.model, d,
                                                  a->recipe.train.threads, score, &err);
    for (size_t i = 1; i < d->trained && !bad; ++i)
        above += d->first_row[i] == d->first_row[i - 1] && score[i] > a->guard.detector.threshold &&
                 (i == 1 || d->first_row[i - 2] != d->first_row[i]);
    free(score);
    if (bad) return fail("%s", score ? err.text : "out of memory");
    if (!a->quiet)
        printf("harmless    %lu of %lu sequences are still above the threshold\n",
               (unsigned long)above, (unsigned long)a->choice.marked);
    return 0;
}

static void print_where(const app *a) {
    char range[256], out[1024];
    snprintf(out, sizeof out, "%s", output_shown(a->out));
    printf("\n%lu iterations in ",
           (unsigned long)(a->guard.training.iteration - a->began_iteration));
    print_time(now() - a->began);
    printf("\n");
    if (a->guard.training.iteration) printf("model       %s/model.safetensors\n", out);
    if (a->guard.detector.memory)
        printf("threshold   %.5g for %s\n", a->guard.detector.threshold,
               output_rate(range, &a->guard.detector,
                           a->guard.detector.options.false_positive_rate));
    else
        printf("threshold   none, so detect will rank but not judge, unless it is given "
               "--calibrate NORMAL; --recommended and --hold-out leave one\n");
    for (int percent = 0; percent <= 100; ++percent)
        if (a->kept[percent]) printf("milestone   %s/model-%03d.safetensors\n", out, percent);
    printf("loss        %s/loss.csv and %s/loss.svg\n", out, out);
}

// Trains for no iterations: checks that everything fits together, and that there is memory for it,
// before anything is written.
static int rehearse(app *a) {
    pktseq_train_config config = a->recipe.train;
    config.iterations = a->guard.training.iteration;
    if (pktseq_train(&a->guard.model, &a->dataset, &config, &a->guard.training, &a->err))
        return fail("%s", a->err.text);
    return 0;
}

// Frees the packets, which the dataset has encoded, but keeps what the summary needs.
static void free_packets(app *a) {
    pktseq_table seen;
    memset(&seen, 0, sizeof seen);
    seen.rows = a->table.rows;
    seen.sequences = a->table.sequences;
    seen.position_gaps = a->table.position_gaps;
    seen.counts = a->table.counts;
    seen.notes = a->table.notes;
    memcpy(seen.first_bad, a->table.first_bad, sizeof seen.first_bad);
    seen.capture = a->table.capture;
    pktseq_table_free(&a->table);
    a->table = seen;
}

static int run(app *a) {
    pktseq_status status;
    a->reached = 1;
    if (a->resume_path ? prepare_resumed(a) : a->continue_path ? prepare_continued(a)
                                                               : prepare_new(a))
        return 1;
    free_packets(a);
    if (rehearse(a) || prepare_folder(a)) return 1;
    if (!a->quiet) print_summary(a);
    a->recipe.train.progress = on_progress;
    a->recipe.train.user_data = a;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
#ifdef SIGHUP
    if (signal(SIGHUP, on_interrupt) == SIG_IGN) signal(SIGHUP, SIG_IGN);  // nohup
#endif
    a->began = now();
    a->began_iteration = a->guard.training.iteration;
    status = pktseq_train(&a->guard.model, &a->dataset, &a->recipe.train, &a->guard.training,
                          &a->err);
    if (a->bar) printf("\n");
    if (status && status != PKTSEQ_STOPPED && status != PKTSEQ_ERROR_DIVERGED)
        return fail("%s", a->err.text);
    if (a->save_err.status) return fail("%s", a->save_err.text);
    if (status == PKTSEQ_ERROR_DIVERGED) fail("%s", a->err.text);
    if (a->dataset.trained < a->dataset.pairs && a->guard.training.iteration && calibrate(a))
        return 1;
    if (a->choice.marked && a->guard.detector.sequences && check_marked(a)) return 1;
    if (write_results(a)) return 1;
    if (!a->quiet) print_where(a);
    if (status == PKTSEQ_STOPPED && !a->quiet)
        printf("interrupted; go on with --resume %s/model.safetensors\n", output_shown(a->out));
    return status == PKTSEQ_ERROR_DIVERGED;
}

// Warns of an older model in the folder, which could be taken for the result of this run.
static void print_older(const app *a) {
    char path[4096], date[32];
    if (!a->reached || a->saved || path_in(a, path, sizeof path, "model.safetensors") ||
        !exists(path))
        return;
    output_file_date(date, path);
    fprintf(stderr, "train: %s is still an older model%s%s\n", output_shown(path),
            date[0] ? ", of " : "", date);
}

int main(int argc, char **argv) {
    app *a = (app *)calloc(1, sizeof *a);
    int result;
    if (!a) return fail("out of memory");
    a->recipe = pktseq_recipe_default();
    a->bad_rows = 1;
    a->out = "run";
    a->lock = -1;
    output_outlive_pipe();
    result = parse_options(a, argc, argv);
    if (result == 0) {
        if (!a->data_path) a->data_path = default_data(argv[0]);
        if (a->notebook) a->recipe.dataset.drop_last = 1;
        if (a->notebook && !a->snapshots) parse_snapshots("40,80,100", &a->recipe.train);
        a->bar = !a->quiet && on_terminal();
        result = run(a);
    }
    if (result != 1 && !output_printed()) result = fail("cannot write to standard output");
    if (result == 1) print_older(a);
    unlock_folder(a);
    free(a->held_loss);
    free(a->choice.repeats);
    pktseq_guard_free(&a->old);
    pktseq_guard_free(&a->guard);
    pktseq_dataset_free(&a->dataset);
    pktseq_table_free(&a->table);
    free(a);
    return result == 1;
}
