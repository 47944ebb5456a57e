// detector.h - for tests of what detects: a small data set with every kind of group, a model, and
// scores computed again in plain loops.
#ifndef DETECTOR_H
#define DETECTOR_H

#include "scene.h"

#include <float.h>
#include <math.h>

static pktseq_error err;  // of the last call

static inline uint64_t next_draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 40;
}

static inline double draw(uint64_t *state) { return (double)next_draw(state) / 16777216.0 - 0.5; }

static inline int close_to(double a, double b, double relative) {
    return fabs(a - b) <= relative * fabs(b) || a == b;
}

static inline int same_double(const double *a, const double *b, size_t n) {
    return memcmp(a, b, n * sizeof *a) == 0;
}

// ---- packets, a codec with all kinds of groups, a model -----------------------------------------

enum { SEQUENCES = 130, KINDS = 14, INPUT = 17, OUT = 16, GROUPS = 3, CONTEXT = 3, HIDDEN = 7 };

// A number, a flag and a class to be predicted, a number that is only seen, three of the context,
// two of which go together.
static const pktseq_field scene_field[] = {
    FIELD("v", ZSCORE, BOTH), FIELD("f", FLAG, BOTH), FIELD("k", ONEHOT, BOTH),
    FIELD("seen", NUMBER, INPUT), FIELD("c1", NUMBER, CONTEXT),
    {"c2", PKTSEQ_LOG, PKTSEQ_ROLE_CONTEXT, 0, 1, NULL, 0, 0}, FIELD("c3", NUMBER, CONTEXT)};

// Sequences of 3 to 21 packets, most of them short; returns how many bytes.
static inline size_t csv_make(char *csv, size_t size) {
    uint64_t s = 7;
    size_t at = (size_t)snprintf(csv, size, "position,v,f,k,seen,c1,c2,c3\n");
    for (int i = 0; i < SEQUENCES; ++i) {
        uint64_t u = next_draw(&s), n = i % 5 == 4 ? 17 + u % 5 : i % 2 ? 3 + u % 4 : 5 + u % 11;
        for (uint64_t p = 0; p < n; ++p) {
            double c = draw(&s) * 3;
            unsigned k = (unsigned)(next_draw(&s) % KINDS);
            at += (size_t)snprintf(csv + at, size - at, "%d,%.6f,%d,k%02u,%.6f,%.6f,%.6f,%.6f\n",
                                   (int)p, draw(&s) * 8, next_draw(&s) % 3 == 0, k, draw(&s), c,
                                   exp(2 + draw(&s) * 2), 2 * c + draw(&s));
        }
    }
    return at;
}

// All but training and detector; work for nine sequences.
static inline void scene_make(parts *s, size_t inputs, pktseq_start start, pktseq_loss loss) {
    static char csv[1 << 19];
    plan how = plan_of(schema_of(scene_field, sizeof scene_field / sizeof *scene_field), HIDDEN, 3);
    how.dataset.inputs = inputs;
    how.dataset.start = start;
    how.loss = loss;
    memset(s, 0, sizeof *s);
    CHECK_THAT(!parts_parse(s, &how, csv, csv_make(csv, sizeof csv), &err) &&
               !parts_learn(s, &how, &err), "%s", err.text);
    CHECK(s->codec.features == INPUT && s->codec.targets == OUT && s->codec.contexts == CONTEXT);
    CHECK(s->model.config.groups == GROUPS);
    for (size_t i = 0; i < s->model.parameters; ++i) s->model.block[i] *= 3;
    CHECK(pktseq_work_init(&s->work, &s->model.config, 9, s->dataset.longest, 1, NULL, NULL) ==
          PKTSEQ_OK);
}

static inline pktseq_detector detector_make(const parts *s, pktseq_detector_options options,
                                            int fit) {
    pktseq_detector d;
    memset(&d, 0x55, sizeof d);
    CHECK_THAT(pktseq_detector_init(&d, &s->model, CONTEXT, &options, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    if (fit)
        CHECK_THAT(pktseq_detector_fit(&d, &s->model, &s->dataset, 2, &err) == PKTSEQ_OK, "%s",
                   err.text);
    return d;
}

static inline int same_detector(const pktseq_detector *a, const pktseq_detector *b) {
    return a->options.measure == b->options.measure &&
           a->options.one_step_ahead == b->options.one_step_ahead &&
           a->options.by_length == b->options.by_length &&
           same_double(&a->options.context, &b->options.context, 1) &&
           same_double(&a->options.false_positive_rate, &b->options.false_positive_rate, 1) &&
           a->out == b->out && a->groups == b->groups && a->contexts == b->contexts &&
           same_double(a->weight, b->weight, a->groups) &&
           same_double(a->error, b->error, a->out) && same_double(a->mean, b->mean, a->contexts) &&
           same_double(a->precision, b->precision, a->contexts * a->contexts) &&
           same_double(a->scale, b->scale, 2) &&
           same_double(a->length_scale, b->length_scale, 4) && a->sequences == b->sequences &&
           (a->dispersion < 1 || (same_double(&a->seconds, &b->seconds, 1) &&
                                  same_double(&a->unknown, &b->unknown, 1))) &&
           same_double(&a->threshold, &b->threshold, 1) &&
           same_double(&a->threshold_low, &b->threshold_low, 1) &&
           same_double(&a->threshold_high, &b->threshold_high, 1);
}

// A copy that owns its numbers.
static inline pktseq_detector detector_copy(const pktseq_detector *d) {
    pktseq_detector copy = *d;
    size_t count = d->groups + d->out + d->contexts * (d->contexts + 1);
    copy.memory = (double *)malloc(count * sizeof *copy.memory);
    memcpy(copy.memory, d->memory, count * sizeof *copy.memory);
    copy.weight = copy.memory;
    copy.error = copy.weight + d->groups;
    copy.mean = copy.error + d->out;
    copy.precision = copy.mean + d->contexts;
    return copy;
}

// ---- scores again, in plain loops ---------------------------------------------------------------

// Mean over the packets of what the network says of a pair, from the outputs of the last forward.
static inline double plain_network(const pktseq_detector *d, const pktseq_work *work, size_t index,
                            const pktseq_pair *pair) {
    double total = 0;
    for (size_t t = 0; t < pair->targets; ++t) {
        const real *out = pktseq_work_output(work, index, t), *y = pair->target + t * OUT;
        double sum = 0, p = 0, e[OUT];
        for (size_t o = 0; o < OUT; ++o) e[o] = (double)out[o] - (double)y[o];
        if (d->options.measure == PKTSEQ_MEASURE_SURPRISAL) {
            sum += d->weight[0] * 2 * log(1 + e[0] * e[0] / (3 * d->error[0]));
            p = y[1] == 1 ? (double)out[1] : (double)(1 - out[1]);
            sum -= d->weight[1] * log(p > 1e-6 ? p : 1e-6);
            p = 0;
            for (size_t o = 2; o < OUT; ++o)
                if (y[o] == 1) p = (double)out[o];
            total += sum - d->weight[2] * log(p > 1e-6 ? p : 1e-6);
            continue;
        }
        for (size_t o = 0; o < OUT; ++o)
            sum += d->weight[o < 2 ? o : 2] * e[o] * e[o];
        total += sqrt(sum / OUT);
    }
    return total / (double)pair->targets;
}

static inline double plain_context(const pktseq_detector *d, const pktseq_pair *pair) {
    double total = 0;
    for (size_t t = 0; t < pair->targets; ++t) {
        double m = 0;
        for (size_t i = 0; i < CONTEXT; ++i)
            for (size_t j = 0; j < CONTEXT; ++j)
                m += ((double)pair->context[t * CONTEXT + i] - d->mean[i]) *
                     d->precision[i * CONTEXT + j] *
                     ((double)pair->context[t * CONTEXT + j] - d->mean[j]);
        total += log(1 + m);
    }
    return total / (double)pair->targets;
}

static inline size_t class_of(size_t packets) {
    return packets > 16 ? 3 : packets > 8 ? 2 : packets > 4 ? 1 : 0;
}

static inline double plain_score(const pktseq_detector *d, const pktseq_work *work, size_t index,
                          const pktseq_pair *pair) {
    double score = plain_network(d, work, index, pair);
    if (d->options.context > 0)
        score = d->scale[0] * score + d->scale[1] * plain_context(d, pair);
    return d->options.by_length ? score / d->length_scale[class_of(pair->inputs + pair->targets)]
                                : score;
}

// Runs a pair forward with the public function.
static inline void plain_forward(parts *s, const pktseq_pair *pair, int forced) {
    unsigned char teacher = (unsigned char)forced;
    CHECK(pktseq_forward(&s->model, &s->work, pair, 1, &teacher) == PKTSEQ_OK);
}

#endif  // DETECTOR_H
