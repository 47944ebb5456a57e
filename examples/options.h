// options.h - parses the command lines of detect, sequences and train from a list of options.
//
// `--name value` and `--name=value` are the same, `-` is a file name (standard input or output),
// and what follows `--` is not an option. For an unknown option the nearest known one is suggested.

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind {
    OPTION_FLAG,    // int: becomes 1
    OPTION_TEXT,    // const char *: not empty
    OPTION_WHOLE,   // size_t from min to max
    OPTION_SEED,    // uint64_t, any
    OPTION_NUMBER,  // double from min to max, or from above min
    OPTION_SHARE,   // double from min to below max, "0.01" or "1%"
    OPTION_CHOICE   // int: the index of the value in choice, "target|input"
} option_kind;

typedef struct option {
    const char *name;
    option_kind kind;
    void *to;
    double min, max;
    int above;           // of OPTION_NUMBER: min itself is too small
    const char *choice;
    int *given;          // set to 1 if the option is given; or NULL
} option;

// Options without limits, of which nobody needs to know that they were given.
#define OPTION_TEXT_OF(name, to) {name, OPTION_TEXT, to, 0, 0, 0, NULL, NULL}
#define OPTION_FLAG_OF(name, to) {name, OPTION_FLAG, to, 0, 0, 0, NULL, NULL}

// Parses a whole number that is digits alone: strtod would also take "1e3" or " 5". Returns 0 for
// anything else, and above 2^64 - 1.
static inline int option_digits(const char *text, uint64_t *value) {
    *value = 0;
    if (!*text) return 0;
    for (; *text >= '0' && *text <= '9'; ++text) {
        if (*value > (UINT64_MAX - (uint64_t)(*text - '0')) / 10) return 0;
        *value = 10 * *value + (uint64_t)(*text - '0');
    }
    return *text == 0;
}

// Returns the index of a text in "a|b|c", or -1.
static inline int option_place(const char *choice, const char *text) {
    size_t size = strlen(text);
    for (int k = 0;; ++k) {
        const char *end = strchr(choice, '|');
        size_t length = end ? (size_t)(end - choice) : strlen(choice);
        if (length == size && strncmp(choice, text, size) == 0) return k;
        if (!end) return -1;
        choice = end + 1;
    }
}

// Writes "a, b or c" for "a|b|c".
static inline void option_expect(const char *choice, char expected[160]) {
    size_t n = 0;
    for (; *choice && n < 150; ++choice) {
        const char *between = strchr(choice + 1, '|') ? ", " : " or ";
        if (*choice == '|') n += (size_t)snprintf(expected + n, 160 - n, "%s", between);
        else expected[n++] = *choice;
    }
    expected[n] = 0;
}

// Parses the value of an option and stores it. Returns 0 if it is invalid; what is valid is written
// to `expected` in either case.
static inline int option_read(const option *o, const char *text, char expected[160]) {
    uint64_t whole = 0;
    double number;
    char *end;
    int good = 0;
    if (o->kind == OPTION_TEXT) {
        snprintf(expected, 160, "a name");
        good = text[0] != 0 && strncmp(text, "--", 2) != 0;
        if (good) *(const char **)o->to = text;
    } else if (o->kind == OPTION_CHOICE) {
        option_expect(o->choice, expected);
        good = option_place(o->choice, text) >= 0;
        if (good) *(int *)o->to = option_place(o->choice, text);
    } else if (o->kind == OPTION_SHARE) {
        snprintf(expected, 160, "a share from %g to below %g: 0.01 is 1 %%, and so is 1%%", o->min,
                 o->max);
        number = strtod(text, &end);
        if (*end == '%') number /= 100, ++end;
        good = ((text[0] >= '0' && text[0] <= '9') || text[0] == '.') && !*end &&
               number >= o->min && number < o->max;
        if (good) *(double *)o->to = number;
    } else if (o->kind == OPTION_NUMBER) {
        snprintf(expected, 160, "a number %s %.9g to %.9g", o->above ? "above" : "from", o->min,
                 o->max);
        number = strtod(text, &end);
        good = ((text[0] >= '0' && text[0] <= '9') || text[0] == '.' || text[0] == '-') && !*end &&
               number >= o->min && number <= o->max && (!o->above || number > o->min);
        if (good) *(double *)o->to = number;
    } else {
        good = option_digits(text, &whole);
        if (o->kind == OPTION_SEED) {
            snprintf(expected, 160, "a whole number from 0 to 18446744073709551615");
            if (good) *(uint64_t *)o->to = whole;
        } else {
            snprintf(expected, 160, "a whole number from %.0f to %.0f", o->min, o->max);
            good = good && (double)whole >= o->min && (double)whole <= o->max;
            if (good) *(size_t *)o->to = (size_t)whole;
        }
    }
    if (good && o->given) *o->given = 1;
    return good;
}

// Returns the edit distance of two names: letters to insert, delete or change; 99 for long names.
static inline int option_distance(const char *a, const char *b) {
    int row[40], size = (int)strlen(b);
    if (size > 38 || strlen(a) > 38) return 99;
    for (int k = 0; k <= size; ++k) row[k] = k;
    for (int i = 1; *a; ++a, ++i) {
        int before = row[0];
        row[0] = i;
        for (int k = 1; k <= size; ++k) {
            int change = before + (*a != b[k - 1]);
            int other = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            before = row[k];
            row[k] = change < other ? change : other;
        }
    }
    return row[size];
}

// Returns the option that an unknown one may stand for: one that begins with it, or the nearest one
// within two letters; else NULL.
static inline const char *option_meant(const option *list, size_t count, const char *name) {
    const char *meant = NULL;
    int least = 3;
    for (size_t k = 0; k < count; ++k) {
        int distance = option_distance(name, list[k].name);
        if (strlen(name) > 3 && strncmp(name, list[k].name, strlen(name)) == 0) distance = 0;
        if (distance >= least) continue;
        least = distance;
        meant = list[k].name;
    }
    return meant;
}

// Parses a command line. Returns 0; 1 after an error, which message describes; 2 for --help, 3 for
// --version.
//   data   out: the one argument that is not an option, or NULL; "-" is one, and what follows "--"
static inline int option_parse(const option *list, size_t count, int argc, char **argv,
                               const char **data, char *message, size_t size) {
    int only_data = 0;
    *data = NULL;
    for (int i = 1; i < argc; ++i) {
        const char *name = argv[i], *value = strchr(name, '=');
        char own[64], expected[160];
        size_t k = 0;
        if (only_data || name[0] != '-' || name[1] == 0) {
            if (*data) {
                snprintf(message, size, "found two data files, %s and %s; join captures with "
                         "mergecap -w all.pcapng %s %s", *data, name, *data, name);
                return 1;
            }
            *data = name;
            continue;
        }
        if (strcmp(name, "--") == 0) {
            only_data = 1;
            continue;
        }
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return 2;
        if (strcmp(name, "--version") == 0) return 3;
        if (value && (size_t)(value - name) < sizeof own) {  // --name=value
            snprintf(own, sizeof own, "%.*s", (int)(value - name), name);
            name = own;
            ++value;
        } else {
            value = NULL;
        }
        while (k < count && strcmp(name, list[k].name) != 0) ++k;
        if (k == count) {
            const char *meant = option_meant(list, count, name);
            snprintf(message, size, "unknown option %s; %s%s%s--help lists them", name,
                     meant ? "did you mean " : "", meant ? meant : "", meant ? "? " : "");
            return 1;
        }
        if (list[k].kind == OPTION_FLAG) {
            *(int *)list[k].to = 1;
            if (list[k].given) *list[k].given = 1;
            if (!value) continue;
            snprintf(message, size, "option %s takes no value", list[k].name);
            return 1;
        }
        if (!value && i + 1 == argc) {
            snprintf(message, size, "option %s needs a value", list[k].name);
            return 1;
        }
        if (!value) value = argv[++i];
        if (!option_read(&list[k], value, expected)) {
            snprintf(message, size, "option %s: found \"%s\", expected %s", list[k].name, value,
                     expected);
            return 1;
        }
    }
    return 0;
}

#endif  // OPTIONS_H
