// mpicc -O2 examples/train_mpi.c -lm -o train_mpi && mpirun -n 2 ./train_mpi --out run DATA.csv ..
// Prints the loss as it trains, then where the checkpoint lies. Needs MPI (Debian: libopenmpi-dev).
//
// Trains the recommended model on many machines, to the same bits on 1, 2, 4, .. ranks. The work of
// an iteration is split among a fixed number of workers, which exist only in the arithmetic: each
// has a share of the data, draws its own sequences and makes their gradient. A rank computes for
// workers / ranks of them. Gradients are added along a binary tree over the workers:
//
//      worker   0   1   2   3   4   5   6   7
//                \ /     \ /     \ /     \ /        4 ranks add their own two workers
//                  \_____/         \_____/          and exchange the rest of the tree
//                     \_______________/
//
// As ranks and workers are powers of two, a rank's workers are a whole branch, so who adds what
// changes no sum. Each rank finishes the tree for its segment of the parameters (reduce-scatter),
// does the optimizer step there, and all collect the new parameters (allgather).

#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "mpirun -n RANKS train_mpi [options] DATA.csv ..\n"
    "\n"
    "Trains the recommended model; RANKS is a power of two, at most --workers. With as many files\n"
    "as workers or more, each rank reads only the files of its workers; fewer are shared.\n"
    "\n"
    "  --workers N         into how many parts an iteration is split, a power of two (8)\n"
    "  --iterations N      in all (2000)\n"
    "  --batch N           sequences of an iteration, a multiple of the workers (32)\n"
    "  --hidden N          hidden units (64)\n"
    "  --lr X              learning rate (0.1)\n"
    "  --seed N            of weights and order (1)\n"
    "  --snapshot-every N  iterations between checkpoints (500): the most that a crash costs\n"
    "  --resume M          go on from a checkpoint, with any number of ranks; --workers, --batch,\n"
    "                      --seed, --lr and DATA must be as before\n"
    "  --out DIR           folder for model.safetensors, which must exist (.)\n"
    "  --scaling           print what the measured time of a step means on 8, 64 and 512 ranks\n";

enum { BLOCK = 1024 };  // parameters whose squares are summed in one go, on whatever rank

// One worker: the sequences that it draws from, and where it is in its epoch.
typedef struct worker {
    pktseq_dataset *dataset;  // (datasets)
    size_t datasets, pairs;
    size_t *order;            // (pairs) of the current epoch
    size_t epoch;             // + 1; 0 = none yet
} worker;

typedef struct app {
    const char *resume, *out;
    char **file;              // (files)
    size_t files, workers, iterations, batch, hidden, seed, snapshot_every;
    double learning_rate;
    int scaling;
    int rank, ranks;
    worker *worker;           // (own) of this rank: workers first_worker .. first_worker + own - 1
    size_t own, first_worker;
    pktseq_codec codec;
    pktseq_model model;
    pktseq_work work;
    pktseq_training training;
    pktseq_detector detector;
    pktseq_dataset held;      // of rank 0: sequences of the first file that nobody trains on
    pktseq_table table;       // of the file read last, which several workers may share
    size_t table_file;        // + 1; 0 = none yet
    pktseq_pair *pair;        // (batch / workers)
    unsigned char *teacher;   // (batch / workers) all 1
    size_t segment;           // parameters of one rank, a multiple of BLOCK; padded = ranks of them
    size_t padded;
    pktseq_real *gradient;    // (depth, padded) one partial sum for each level of the tree
    pktseq_real *part;        // (ranks, segment) this rank's segment of all ranks' sums
    pktseq_real *velocity;    // (segment)
    pktseq_real *parameter;   // (padded)
    double *square;           // (padded / BLOCK) sums of squares, of all ranks
    double compute, exchange; // seconds
    pktseq_error err;
} app;

// Every error ends here, on all ranks.
static void die(const app *a, const char *text, const char *more) {
    fprintf(stderr, "train_mpi: rank %d: %s%s\n", a->rank, text, more);
    MPI_Abort(MPI_COMM_WORLD, 1);
    exit(1);
}

static void *memory(const app *a, size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size);
    if (!p) die(a, "out of memory", "");
    return p;
}

// ---- the command line

static size_t whole(const app *a, const char *name, const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || value == 0 || value > 4294967295u)
        die(a, name, ": expected a whole number from 1");
    return (size_t)value;
}

static void parse_options(app *a, int argc, char **argv) {
    struct { const char *name; size_t *to; } number[] = {
        {"--workers", &a->workers}, {"--iterations", &a->iterations}, {"--batch", &a->batch},
        {"--hidden", &a->hidden},   {"--seed", &a->seed}, {"--snapshot-every", &a->snapshot_every}};
    for (int i = 1; i < argc; ++i) {
        size_t k = 0;
        if (strcmp(argv[i], "--help") == 0) {
            if (a->rank == 0) fputs(help_text, stdout);
            MPI_Finalize();
            exit(0);
        }
        if (strcmp(argv[i], "--scaling") == 0) { a->scaling = 1; continue; }
        if (argv[i][0] != '-') { a->file[a->files++] = argv[i]; continue; }
        if (i + 1 == argc) die(a, argv[i], ": unknown option, or its value is missing");
        while (k < sizeof number / sizeof *number && strcmp(argv[i], number[k].name)) ++k;
        if (k < sizeof number / sizeof *number) {
            *number[k].to = whole(a, argv[i], argv[i + 1]);
        } else if (strcmp(argv[i], "--lr") == 0) {
            a->learning_rate = strtod(argv[i + 1], NULL);
        } else if (strcmp(argv[i], "--resume") == 0) {
            a->resume = argv[i + 1];
        } else if (strcmp(argv[i], "--out") == 0) {
            a->out = argv[i + 1];
        } else {
            die(a, argv[i], ": unknown option; --help lists them");
        }
        ++i;
    }
    if (a->files == 0) die(a, "no data file; --help tells more", "");
    if (a->workers & (a->workers - 1)) die(a, "--workers: expected a power of two", "");
    if (a->ranks & (a->ranks - 1) || (size_t)a->ranks > a->workers)
        die(a, "the number of ranks must be a power of two and at most --workers", "");
    if (a->batch % a->workers) die(a, "--batch: expected a multiple of --workers", "");
    if (!(a->learning_rate > 0)) die(a, "--lr: expected a number above 0", "");
}

// ---- data and model

// Sends bytes that rank 0 has to all; the others get memory of their own.
static void share(const app *a, pktseq_buffer *buffer) {
    unsigned long long size = buffer->size;
    MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, 0, MPI_COMM_WORLD);
    if (size > 0x7fffffff) die(a, "a checkpoint beyond 2 GB", "");
    if (a->rank) buffer->data = (unsigned char *)memory(a, (size_t)size, 1);
    buffer->size = (size_t)size;
    MPI_Bcast(buffer->data, (int)size, MPI_BYTE, 0, MPI_COMM_WORLD);
}

// Chooses the sequences of a table from one share of it to another: the others are repeated 0
// times.
static unsigned char *chosen(const app *a, const pktseq_table *table, double begin, double end) {
    unsigned char *repeats = (unsigned char *)memory(a, table->sequences, 1);
    for (size_t s = 0; s < table->sequences; ++s)
        repeats[s] = s >= (size_t)(begin * (double)table->sequences) &&
                     s < (size_t)(end * (double)table->sequences);
    return repeats;
}

// Rank 0 fits the codec to the first file and draws the weights, or loads what --resume names.
static void begin_run(app *a) {
    pktseq_schema schema = pktseq_schema_recommended(1);
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_table table;
    pktseq_config config;
    unsigned char *repeats;
    options.inputs = 0;
    options.start = PKTSEQ_START_INPUT;
    if (a->resume) {
        if (pktseq_load(&a->model, &a->codec, &a->training, NULL, a->resume, NULL, &a->err))
            die(a, a->err.text, "");
        if (!a->training.iteration || !a->codec.field_count || !a->training.velocity)
            die(a, a->resume, " holds no interrupted run");
        schema.field = a->codec.field;
        schema.field_count = a->codec.field_count;
    }
    if (pktseq_table_read(&table, a->file[0], &schema, NULL, &a->err)) die(a, a->err.text, "");
    if (!a->resume && pktseq_codec_fit(&a->codec, &table, &schema, NULL, &a->err))
        die(a, a->err.text, "");
    options.repeats = repeats = chosen(a, &table, 0.8, 1);
    if (pktseq_dataset_init(&a->held, &a->codec, &table, &options, NULL, &a->err))
        die(a, a->err.text, "");
    free(repeats);
    config = pktseq_config_default(&a->held);
    config.hidden = a->hidden;
    config.loss = PKTSEQ_LOSS_NLL;
    if (!a->resume && pktseq_model_init(&a->model, &config, a->seed, NULL, &a->err))
        die(a, a->err.text, "");
    pktseq_table_free(&table);
}

// Gives every rank rank 0's model, codec and training state.
static void share_model(app *a) {
    pktseq_buffer buffer;
    memset(&buffer, 0, sizeof buffer);
    if (a->rank == 0 &&
        pktseq_save_mem(&a->model, &a->codec, &a->training, NULL, &buffer, NULL, &a->err))
        die(a, a->err.text, "");
    share(a, &buffer);
    if (a->rank && pktseq_load_mem(&a->model, &a->codec, &a->training, NULL, buffer.data,
                                   buffer.size, NULL, &a->err))
        die(a, a->err.text, "");
    if (a->rank) free(buffer.data);
    else pktseq_buffer_free(&buffer);
}

// Reads a file into a->table, unless it is there already.
static void read_table(app *a, size_t file) {
    pktseq_schema schema = pktseq_schema_recommended(1);
    if (a->table_file == file + 1) return;
    schema.field = a->codec.field;
    schema.field_count = a->codec.field_count;
    pktseq_table_free(&a->table);
    if (pktseq_table_read(&a->table, a->file[file], &schema, NULL, &a->err))
        die(a, a->err.text, "");
    a->table_file = file + 1;
}

// Encodes the sequences of one worker. It has the files index, index + workers, ..; where there are
// fewer files than workers, several share one, each an equal part. The last fifth is held out.
static void read_worker(app *a, worker *w, size_t index) {
    size_t sharing = 1, place = 0, first = index;
    if (a->files < a->workers) {
        first = index % a->files;
        place = index / a->files;
        sharing = (a->workers - first + a->files - 1) / a->files;
    }
    w->dataset = (pktseq_dataset *)memory(a, a->files / a->workers + 1, sizeof *w->dataset);
    for (size_t f = first; f < a->files; f += a->workers) {
        pktseq_dataset_options options = pktseq_dataset_options_default();
        unsigned char *repeats;
        options.inputs = a->model.config.inputs;
        options.start = a->model.config.start;
        read_table(a, f);
        options.repeats = repeats = chosen(a, &a->table, 0.8 * (double)place / (double)sharing,
                                           0.8 * (double)(place + 1) / (double)sharing);
        if (pktseq_dataset_init(&w->dataset[w->datasets], &a->codec, &a->table, &options, NULL,
                                &a->err))
            die(a, a->err.text, "");
        free(repeats);
        w->pairs += w->dataset[w->datasets++].pairs;
    }
    w->order = (size_t *)memory(a, w->pairs, sizeof *w->order);
}

// All memory of the loop; the optimizer's state comes from a resumed run.
static void allocate(app *a) {
    size_t longest = 1, depth = 1;
    for (size_t i = 0; i < a->own; ++i)
        for (size_t k = 0; k < a->worker[i].datasets; ++k)
            if (a->worker[i].dataset[k].longest > longest)
                longest = a->worker[i].dataset[k].longest;
    for (size_t n = a->own; n > 1; n /= 2) ++depth;
    a->segment = (a->model.parameters / (size_t)a->ranks / BLOCK + 1) * BLOCK;
    a->padded = a->segment * (size_t)a->ranks;
    a->gradient = (pktseq_real *)memory(a, depth * a->padded, sizeof *a->gradient);
    a->part = (pktseq_real *)memory(a, a->padded, sizeof *a->part);
    a->velocity = (pktseq_real *)memory(a, a->segment, sizeof *a->velocity);
    a->parameter = (pktseq_real *)memory(a, a->padded, sizeof *a->parameter);
    a->square = (double *)memory(a, a->padded / BLOCK, sizeof *a->square);
    a->pair = (pktseq_pair *)memory(a, a->batch / a->workers, sizeof *a->pair);
    a->teacher = (unsigned char *)memory(a, a->batch / a->workers, 1);
    memset(a->teacher, 1, a->batch / a->workers);
    if (pktseq_work_init(&a->work, &a->model.config, a->batch / a->workers, longest, 1, NULL,
                         &a->err))
        die(a, a->err.text, "");
    memcpy(a->parameter, a->model.block, a->model.parameters * sizeof *a->parameter);
    for (size_t i = 0, from = (size_t)a->rank * a->segment; i < a->segment; ++i)
        if (a->training.velocity && from + i < a->model.parameters)
            a->velocity[i] = a->training.velocity[from + i];
}

// ---- one iteration

// A number drawn for (seed, worker, epoch, step): splitmix64 over a mix of the four.
static uint64_t draw(uint64_t seed, uint64_t worker, uint64_t epoch, uint64_t step) {
    uint64_t z = seed + 0x9e3779b97f4a7c15u * (worker + 1) + 0xd1342543de82ef95u * (epoch + 1) +
                 0xaf251af3b0f025b5u * (step + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The worker's sequence number `place` of the run: shuffled epochs, each in an order of its own.
static pktseq_pair next_pair(const app *a, worker *w, size_t index, size_t place) {
    size_t epoch = place / w->pairs, pair;
    if (w->epoch != epoch + 1) {
        for (size_t i = 0; i < w->pairs; ++i) {
            size_t j = (size_t)(draw(a->seed, index, epoch, i) % (i + 1));
            if (j != i) w->order[i] = w->order[j];
            w->order[j] = i;
        }
        w->epoch = epoch + 1;
    }
    pair = w->order[place % w->pairs];
    for (size_t k = 0;; ++k) {
        if (pair < w->dataset[k].pairs) return pktseq_dataset_pair(&w->dataset[k], pair);
        pair -= w->dataset[k].pairs;
    }
}

// Makes the gradient of one worker. Returns its loss.
static double worker_gradient(app *a, size_t own, pktseq_real *gradient) {
    size_t count = a->batch / a->workers;
    for (size_t b = 0; b < count; ++b)
        a->pair[b] = next_pair(a, &a->worker[own], a->first_worker + own,
                               a->training.iteration * count + b);
    if (pktseq_zero_grad(&a->work) ||
        pktseq_forward(&a->model, &a->work, a->pair, count, a->teacher) ||
        pktseq_backward(&a->model, &a->work))
        die(a, "a step failed", "");
    memcpy(gradient, a->work.grad_block, a->model.parameters * sizeof *gradient);
    return a->work.report;
}

// Adds the gradients of this rank's workers along their branch of the tree: level k of a->gradient
// keeps the sum of 2^k workers until its neighbour is there. The whole sum is left in the first.
static void rank_gradient(app *a, double *loss) {
    size_t n = a->padded;
    size_t level = 0;
    for (size_t i = 0; i < a->own; ++i) {
        loss[i] = worker_gradient(a, i, a->gradient + level * n);
        ++level;
        for (size_t k = i + 1; k % 2 == 0; k /= 2) {  // two branches of one size are done
            pktseq_real *left = a->gradient + (level - 2) * n, *right = left + n;
            for (size_t p = 0; p < n; ++p) left[p] += right[p];
            --level;
        }
    }
}

// Finishes the tree for this rank's segment: a->part holds one branch of each rank, and the sum is
// left in its first.
static void finish_tree(app *a) {
    MPI_Alltoall(a->gradient, (int)a->segment, MPI_FLOAT, a->part, (int)a->segment, MPI_FLOAT,
                 MPI_COMM_WORLD);
    for (size_t step = 1; step < (size_t)a->ranks; step *= 2)
        for (size_t r = 0; r + step < (size_t)a->ranks; r += 2 * step) {
            pktseq_real *left = a->part + r * a->segment, *right = left + step * a->segment;
            for (size_t p = 0; p < a->segment; ++p) left[p] += right[p];
        }
}

// By how much the gradient is to be scaled: the mean over the workers, clipped to a norm of 1. The
// squares are summed in blocks that are the same on any number of ranks.
static double gradient_scale(app *a) {
    size_t blocks = a->segment / BLOCK;
    double mean = 1.0 / (double)a->workers, norm = 0;
    double *own = a->square + (size_t)a->rank * blocks;
    for (size_t b = 0; b < blocks; ++b) {
        own[b] = 0;
        for (size_t i = 0; i < BLOCK; ++i) {
            double g = mean * (double)a->part[b * BLOCK + i];
            own[b] += g * g;
        }
    }
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DOUBLE, a->square, (int)blocks, MPI_DOUBLE, MPI_COMM_WORLD);
    for (size_t b = 0; b < a->padded / BLOCK; ++b) norm += a->square[b];
    norm = sqrt(norm);
    if (!(norm <= 1e300)) die(a, "the gradient is no longer finite; a smaller --lr may help", "");
    return norm > 1 ? mean / (norm + 1e-6) : mean;
}

// SGD with momentum 0.9 on this rank's segment, then the new parameters of all.
static void optimizer_step(app *a, double scale) {
    pktseq_real *parameter = a->parameter + (size_t)a->rank * a->segment;
    pktseq_real rate = (pktseq_real)a->learning_rate, by = (pktseq_real)scale;
    for (size_t i = 0; i < a->segment; ++i) {
        a->velocity[i] = (pktseq_real)0.9 * a->velocity[i] + by * a->part[i];
        parameter[i] -= rate * a->velocity[i];
    }
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_FLOAT, a->parameter, (int)a->segment, MPI_FLOAT,
                  MPI_COMM_WORLD);
    memcpy(a->model.block, a->parameter, a->model.parameters * sizeof *a->parameter);
}

// One iteration. Returns the mean loss of all workers, summed in their order.
static double iterate(app *a) {
    double *loss = (double *)memory(a, a->workers, sizeof *loss), mean = 0, begin = MPI_Wtime();
    rank_gradient(a, loss + a->first_worker);
    a->compute += MPI_Wtime() - begin;
    begin = MPI_Wtime();
    finish_tree(a);
    optimizer_step(a, gradient_scale(a));
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DOUBLE, loss, (int)a->own, MPI_DOUBLE, MPI_COMM_WORLD);
    a->exchange += MPI_Wtime() - begin;
    for (size_t v = 0; v < a->workers; ++v) mean += loss[v];
    free(loss);
    return mean / (double)a->workers;
}

// ---- what is left

// Collects the velocity and lets rank 0 write the checkpoint, whole or not at all.
static void snapshot(app *a) {
    char path[4096];
    pktseq_real *all = (pktseq_real *)memory(a, a->padded, sizeof *all);
    MPI_Gather(a->velocity, (int)a->segment, MPI_FLOAT, all, (int)a->segment, MPI_FLOAT, 0,
               MPI_COMM_WORLD);
    if (a->rank == 0) {
        memcpy(a->training.velocity, all, a->model.parameters * sizeof *all);
        snprintf(path, sizeof path, "%s/model.safetensors", a->out);
        if (pktseq_save(&a->model, &a->codec, &a->training, &a->detector, path, &a->err))
            die(a, a->err.text, "");
    }
    free(all);
}

// The detector learns from what was held out, on rank 0.
static void calibrate(app *a) {
    double *weight = (double *)memory(a, a->codec.groups, sizeof *weight);
    pktseq_detector_options options = pktseq_detector_options_recommended(&a->codec, weight);
    if (pktseq_detector_init(&a->detector, &a->model, a->codec.contexts, &options, NULL, &a->err) ||
        pktseq_detector_fit(&a->detector, &a->model, &a->held, 1, &a->err))
        die(a, a->err.text, "");
    free(weight);
}

// What the measured time of a worker's step and the bytes of the parameters mean elsewhere: each
// rank sends and receives every parameter about twice (gradients, then parameters), in 2
// log2(ranks) messages of 20 us each.
static void print_scaling(const app *a, size_t iterations) {
    double step = a->compute / (double)iterations / (double)a->own;  // of one worker
    double bytes = 4.0 * (double)a->model.parameters;
    printf("\na worker's step takes %.3f ms; parameters are %.3f MB; computed, not measured:\n"
           "  ranks   10 Gbit/s: iteration, of ideal    100 Gbit/s: iteration, of ideal\n",
           1000 * step, bytes / 1e6);
    for (int ranks = 8, rounds = 3; ranks <= 512; ranks *= 8, rounds += 3) {
        printf("  %5d", ranks);
        for (double speed = 10e9; speed < 1e12; speed *= 10) {
            double exchange = 2 * 8 * bytes * (ranks - 1) / ranks / speed + 2 * rounds * 20e-6;
            printf("   %18.3f ms   %5.1f %%", 1000 * (step + exchange),
                   100 * step / (step + exchange));
        }
        printf("\n");
    }
}

static void run(app *a) {
    size_t begun, since = 0;
    double sum = 0;
    if (a->rank == 0) begin_run(a);
    share_model(a);
    a->own = a->workers / (size_t)a->ranks;
    a->first_worker = a->own * (size_t)a->rank;
    a->worker = (worker *)memory(a, a->own, sizeof *a->worker);
    for (size_t i = 0; i < a->own; ++i) read_worker(a, &a->worker[i], a->first_worker + i);
    pktseq_table_free(&a->table);
    allocate(a);
    if (!a->training.velocity) {
        a->training.config = pktseq_train_config_default();
        a->training.config.milestone_count = 0;
        a->training.velocity = (pktseq_real *)memory(a, a->model.parameters, sizeof(pktseq_real));
        a->training.parameters = a->model.parameters;
    }
    a->training.config.iterations = a->iterations;
    a->training.config.batch = a->batch;
    a->training.config.learning_rate = a->learning_rate;
    a->training.config.momentum = 0.9;
    a->training.config.clip = 1;
    a->training.config.teacher_forcing = 1;
    a->training.config.seed = a->seed;
    begun = a->training.iteration;
    if (a->rank == 0)
        printf("%d ranks, %lu workers, %lu parameters, iterations %lu to %lu\n", a->ranks,
               (unsigned long)a->workers, (unsigned long)a->model.parameters,
               (unsigned long)begun + 1, (unsigned long)a->iterations);
    while (a->training.iteration < a->iterations) {
        sum += iterate(a);
        ++since;
        if (++a->training.iteration % a->snapshot_every == 0 ||
            a->training.iteration == a->iterations) {
            if (a->rank == 0) {
                printf("%lu  loss %.4f\n", (unsigned long)a->training.iteration,
                       sum / (double)since);
                fflush(stdout);
                if (a->training.iteration == a->iterations) calibrate(a);
            }
            sum = 0;
            since = 0;
            snapshot(a);
        }
    }
    if (a->rank == 0) {
        printf("model       %s/model.safetensors, threshold %.5g\n", a->out, a->detector.threshold);
        if (a->training.iteration > begun)
            printf("time        %.2f s computing, %.2f s exchanging\n", a->compute, a->exchange);
        if (a->scaling && a->training.iteration > begun)
            print_scaling(a, a->training.iteration - begun);
    }
}

static void free_all(app *a) {
    pktseq_dataset_free(&a->held);
    for (size_t i = 0; i < a->own; ++i) {
        for (size_t k = 0; k < a->worker[i].datasets; ++k)
            pktseq_dataset_free(&a->worker[i].dataset[k]);
        free(a->worker[i].dataset);
        free(a->worker[i].order);
    }
    pktseq_training_free(&a->training);
    pktseq_detector_free(&a->detector);
    pktseq_work_free(&a->work);
    pktseq_model_free(&a->model);
    pktseq_codec_free(&a->codec);
    void *const block[] = {a->worker, a->gradient, a->part,    a->velocity, a->parameter,
                           a->square, a->pair,     a->teacher, a->file,     a};
    for (size_t i = 0; i < sizeof block / sizeof *block; ++i) free(block[i]);
}

int main(int argc, char **argv) {
    app *a = (app *)calloc(1, sizeof *a);
    MPI_Init(&argc, &argv);
    if (!a) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Comm_rank(MPI_COMM_WORLD, &a->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &a->ranks);
    a->file = (char **)memory(a, (size_t)argc, sizeof *a->file);
    a->workers = 8;
    a->iterations = 2000;
    a->batch = 32;
    a->hidden = 64;
    a->seed = 1;
    a->snapshot_every = 500;
    a->learning_rate = 0.1;
    a->out = ".";
    parse_options(a, argc, argv);
    run(a);
    free_all(a);
    MPI_Finalize();
    return 0;
}
