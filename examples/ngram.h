// ngram.h - a baseline without a network: the surprisal of each packet after the two before it on
// its connection, by counting. Include it after pktseq.h.
//
// A packet becomes a token (protocol, direction, flags, class of length). The probability of one
// after the tokens before it is interpolated from counts after none, one and two of them:
//   p0 = 1 / V      pk = (count(context k, token) + w p(k-1)) / (count(context k) + w)
// with w = V/100 for the empty context and V/10 else (Witten and Bell's idea with fixed weights).
// Nothing is hashed: counts are ranges of sorted keys, so that no capture can make it slow.
#ifndef NGRAM_H
#define NGRAM_H

static const char *const ngram_flag[10] = {"res", "ns",   "cwr",   "ecn", "urg",
                                           "ack", "push", "reset", "syn", "fin"};

enum { NGRAM_BITS = 20, NGRAM_RUN = 64 };  // bits of a token's number; packets of the longest run

// One table, packet by packet in the order of its connections.
typedef struct ngram_side {
    const pktseq_table *table;
    uint32_t *source, *destination;  // (names) of each address column, in common numbers
    uint32_t *protocol;              // (names) in numbers common to both tables
    size_t *row;                     // (rows) the k-th packet's row in the table
    size_t *first;                   // (rows) k of the first packet of its run
    uint64_t *token;                 // (rows) of the k-th packet
} ngram_side;

// A text and the place its number goes to.
typedef struct ngram_name {
    const char *text;
    uint32_t *number;
} ngram_name;

static int ngram_compare_names(const void *a, const void *b) {
    return strcmp(((const ngram_name *)a)->text, ((const ngram_name *)b)->text);
}

static int ngram_compare_keys(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Numbers the strings of two columns, equal ones alike. Returns 0 if out of memory.
static int ngram_number(const pktseq_column *a, uint32_t **number_a, const pktseq_column *b,
                        uint32_t **number_b) {
    size_t n = a->name_count + b->name_count;
    ngram_name *name = (ngram_name *)malloc(n * sizeof *name);
    uint32_t next = 0;
    *number_a = (uint32_t *)malloc(a->name_count * sizeof **number_a);
    *number_b = (uint32_t *)malloc(b->name_count * sizeof **number_b);
    if (!name || !*number_a || !*number_b) {
        free(name);
        return 0;
    }
    for (size_t i = 0; i < n; ++i) {
        int second = i >= a->name_count;
        size_t at = second ? i - a->name_count : i;
        name[i].text = second ? b->names[at] : a->names[at];
        name[i].number = second ? *number_b + at : *number_a + at;
    }
    qsort(name, n, sizeof *name, ngram_compare_names);
    for (size_t i = 0; i < n; ++i) {
        next += i > 0 && strcmp(name[i].text, name[i - 1].text) != 0;
        *name[i].number = next;
    }
    free(name);
    return 1;
}

// A packet's connection, the lower end first, and its row.
typedef struct ngram_end {
    uint64_t low, high;
    size_t row;
} ngram_end;

static int ngram_compare_ends(const void *a, const void *b) {
    const ngram_end *x = (const ngram_end *)a, *y = (const ngram_end *)b;
    if (x->low != y->low) return x->low < y->low ? -1 : 1;
    if (x->high != y->high) return x->high < y->high ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

// Returns a column that ngram_check has found.
static const pktseq_column *ngram_column(const ngram_side *side, const char *name) {
    return pktseq_table_column(side->table, name);
}

// Returns the number of a packet's string among the column's.
static size_t ngram_text(const pktseq_column *column, size_t row) {
    return (size_t)pktseq_column_number(column, row);
}

// Sorts the packets by connection and divides these into runs: after 30 s of silence, or 64
// packets.
static int ngram_runs(ngram_side *side) {
    const pktseq_column *src = ngram_column(side, "src_ip"), *dst = ngram_column(side, "dst_ip");
    const pktseq_column *from = ngram_column(side, "src_port");
    const pktseq_column *to = ngram_column(side, "dst_port");
    const pktseq_column *time = ngram_column(side, "timestamp");
    size_t rows = side->table->rows;
    ngram_end *end = (ngram_end *)malloc(rows * sizeof *end);
    side->row = (size_t *)malloc(rows * sizeof *side->row);
    side->first = (size_t *)malloc(rows * sizeof *side->first);
    if (!end || !side->row || !side->first) {
        free(end);
        return 0;
    }
    for (size_t r = 0; r < rows; ++r) {
        uint64_t a = (uint64_t)side->source[ngram_text(src, r)] << 16 |
                     (uint64_t)pktseq_column_number(from, r);
        uint64_t b = (uint64_t)side->destination[ngram_text(dst, r)] << 16 |
                     (uint64_t)pktseq_column_number(to, r);
        end[r].low = a < b ? a : b;
        end[r].high = a < b ? b : a;
        end[r].row = r;
    }
    qsort(end, rows, sizeof *end, ngram_compare_ends);
    for (size_t k = 0, silence = 0; k < rows; ++k) {
        side->row[k] = end[k].row;
        if (k == 0 || end[k].low != end[k - 1].low || end[k].high != end[k - 1].high ||
            pktseq_column_number(time, end[k].row) -
                    pktseq_column_number(time, end[k - 1].row) > 30)
            silence = k;
        side->first[k] = k - (k - silence) % NGRAM_RUN;
    }
    free(end);
    return 1;
}

// The packets as keys: | protocol | from the run's first source | ten flags | class of length |
static int ngram_tokens(ngram_side *side) {
    static const double bound[] = {61, 70, 80, 100, 150, 300, 700, 1300};
    const pktseq_column *protocol = ngram_column(side, "protocol");
    const pktseq_column *src = ngram_column(side, "src_ip");
    const pktseq_column *length = ngram_column(side, "length"), *flag[10];
    size_t rows = side->table->rows;
    side->token = (uint64_t *)malloc(rows * sizeof *side->token);
    if (!side->token) return 0;
    for (int f = 0; f < 10; ++f) flag[f] = ngram_column(side, ngram_flag[f]);
    for (size_t k = 0; k < rows; ++k) {
        size_t r = side->row[k], first = side->row[side->first[k]];
        uint64_t key = side->protocol[ngram_text(protocol, r)], size = 0;
        key = 2 * key + (side->source[ngram_text(src, r)] == side->source[ngram_text(src, first)]);
        for (int f = 0; f < 10; ++f) key = 2 * key + (pktseq_column_number(flag[f], r) != 0);
        while (size < 8 && pktseq_column_number(length, r) >= bound[size]) ++size;
        side->token[k] = 16 * key + size;
    }
    return 1;
}

// Replaces the keys of both sides by common numbers from 0. Returns how many the normal side has;
// 0 if out of memory.
static size_t ngram_common_tokens(ngram_side *normal, ngram_side *data) {
    size_t a = normal->table->rows, b = data->table->rows, count = 0, own = 0;
    uint64_t *sorted = (uint64_t *)malloc((a + b) * sizeof *sorted);
    unsigned char *seen;
    if (!sorted) return 0;
    memcpy(sorted, normal->token, a * sizeof *sorted);
    memcpy(sorted + a, data->token, b * sizeof *sorted);
    qsort(sorted, a + b, sizeof *sorted, ngram_compare_keys);
    for (size_t i = 0; i < a + b; ++i)
        if (i == 0 || sorted[i] != sorted[count - 1]) sorted[count++] = sorted[i];
    seen = (unsigned char *)calloc(count, 1);
    for (size_t i = 0; seen && i < a + b; ++i) {
        uint64_t *token = i < a ? &normal->token[i] : &data->token[i - a];
        const uint64_t *at = (const uint64_t *)bsearch(token, sorted, count, sizeof *sorted,
                                                       ngram_compare_keys);
        *token = (uint64_t)(at - sorted);
        if (i < a && !seen[*token]) {
            seen[*token] = 1;
            ++own;
        }
    }
    free(sorted);
    if (!seen) own = 0;
    free(seen);
    return count < (size_t)1 << NGRAM_BITS ? own : 0;
}

// Returns the context of `order` tokens before packet k as a key; 0 if the run has fewer. A context
// that reaches the run's beginning differs from the same tokens within a run.
//     | order + 1 | begins | token | token |        followed by 20 bits for the next token
static uint64_t ngram_context(const ngram_side *side, size_t k, size_t order) {
    size_t age = k - side->first[k];
    uint64_t key = order + 1;
    if (order > age) return 0;
    key = 2 * key + (order == age);
    for (size_t i = 2; i > 0; --i)
        key = key << NGRAM_BITS | (i <= order ? side->token[k - i] : 0);
    return key << NGRAM_BITS;
}

// Returns how many of the sorted keys are from `low` to below `low` + `span`.
static double ngram_count(const uint64_t *key, size_t keys, uint64_t low, uint64_t span) {
    size_t bound[2];
    for (int past = 0; past < 2; ++past) {
        uint64_t wanted = low + (past ? span : 0);
        size_t from = 0, to = keys;
        while (from < to) {
            size_t middle = from + (to - from) / 2;
            if (key[middle] < wanted) from = middle + 1;
            else to = middle;
        }
        bound[past] = from;
    }
    return (double)(bound[1] - bound[0]);
}

// Returns every (context, token) of the normal side's runs that begin before row `before`, sorted.
static uint64_t *ngram_learn(const ngram_side *side, size_t before, size_t *keys) {
    uint64_t *key = (uint64_t *)malloc(3 * side->table->rows * sizeof *key);
    *keys = 0;
    for (size_t k = 0; key && k < side->table->rows; ++k)
        for (size_t order = 0; order < 3 && side->row[side->first[k]] < before; ++order)
            if (ngram_context(side, k, order))
                key[(*keys)++] = ngram_context(side, k, order) | side->token[k];
    if (key) qsort(key, *keys, sizeof *key, ngram_compare_keys);
    return key;
}

// Computes the mean surprisal of each sequence's packets, in bits.
static int ngram_side_scores(const ngram_side *side, const uint64_t *key, size_t keys, double V,
                             double *score) {
    const pktseq_table *table = side->table;
    double *bits = (double *)malloc(table->rows * sizeof *bits);
    if (!bits) return 0;
    for (size_t k = 0; k < table->rows; ++k) {
        double p = 1 / V;
        for (size_t order = 0; order < 3; ++order) {
            uint64_t context = ngram_context(side, k, order);
            double w = V * (order == 0 && side->first[k] != k ? 0.01 : 0.1), all;
            if (!context) break;
            all = ngram_count(key, keys, context, (uint64_t)1 << NGRAM_BITS);
            if (all > 0)
                p = (ngram_count(key, keys, context | side->token[k], 1) + w * p) / (all + w);
        }
        bits[side->row[k]] = -log2(p);
    }
    for (size_t s = 0; s < table->sequences; ++s) {
        score[s] = 0;
        for (size_t r = table->start[s]; r < table->start[s + 1]; ++r) score[s] += bits[r];
        score[s] /= (double)(table->start[s + 1] - table->start[s]);
    }
    free(bits);
    return 1;
}

// Checks that all columns are there; if not, names the one that is missing.
static int ngram_check(const pktseq_table *table, char *message, size_t message_size) {
    static const char *const name[] = {"src_ip",   "dst_ip",   "protocol", "timestamp",
                                       "src_port", "dst_port", "length"};
    for (int i = 0; i < 17; ++i) {
        const char *wanted = i < 7 ? name[i] : ngram_flag[i - 7];
        const pktseq_column *column = pktseq_table_column(table, wanted);
        if (column && (i < 3) == (column->names != NULL)) continue;
        snprintf(message, message_size, "column \"%s\" is missing", wanted);
        return 0;
    }
    return 1;
}

static void ngram_free(ngram_side *side) {
    void *const block[] = {side->source, side->destination, side->protocol,
                           side->row,    side->first,       side->token};
    for (size_t i = 0; i < sizeof block / sizeof *block; ++i) free(block[i]);
}

// Scores the sequences of `normal` and of `data`. Counts come from the first `learn` sequences of
// normal: from the runs that begin there.
//   normal_score (normal->sequences), data_score (data->sequences) out
//   0 = done; 1 = not, and why in message
static int ngram_scores(const pktseq_table *normal, size_t learn, const pktseq_table *data,
                        double *normal_score, double *data_score, char *message,
                        size_t message_size) {
    ngram_side side[2];
    size_t tokens = 0, keys = 0;
    uint64_t *key = NULL;
    int good = 1;
    memset(side, 0, sizeof side);
    side[0].table = normal;
    side[1].table = data;
    if (!ngram_check(normal, message, message_size) || !ngram_check(data, message, message_size))
        return 1;
    for (int i = 0; i < 2 && good; ++i)
        good = ngram_number(ngram_column(&side[i], "src_ip"), &side[i].source,
                            ngram_column(&side[i], "dst_ip"), &side[i].destination);
    good = good && ngram_number(ngram_column(&side[0], "protocol"), &side[0].protocol,
                                ngram_column(&side[1], "protocol"), &side[1].protocol);
    for (int i = 0; i < 2 && good; ++i) good = ngram_runs(&side[i]) && ngram_tokens(&side[i]);
    if (good) tokens = ngram_common_tokens(&side[0], &side[1]);
    if (tokens) key = ngram_learn(&side[0], normal->start[learn], &keys);
    good = key && ngram_side_scores(&side[0], key, keys, (double)tokens + 1, normal_score) &&
           ngram_side_scores(&side[1], key, keys, (double)tokens + 1, data_score);
    if (!good) snprintf(message, message_size, "out of memory, or a million different packets");
    free(key);
    ngram_free(&side[0]);
    ngram_free(&side[1]);
    return !good;
}

#endif
