// test_fuzz.c - of no single section: the fuzz targets of tests/fuzz without a fuzzer, over all
// their seeds and a few thousand mutations of them, always the same.
//
//   ./build/test_fuzz [factor]      factor: how many times the usual number of mutations
//
// Each property is in tests/fuzz/fuzz_*.c. An input that breaks one is left in build/.
#define _POSIX_C_SOURCE 200809L
#include "inside.h"
#include "check.h"

#include "fuzz/fuzz.h"

#define LLVMFuzzerTestOneInput fuzz_number
#include "fuzz/fuzz_number.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_csv
#include "fuzz/fuzz_csv.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_capture
#include "fuzz/fuzz_capture.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_dataset
#include "fuzz/fuzz_dataset.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_load_mem
#include "fuzz/fuzz_load.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_resume
#include "fuzz/fuzz_resume.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_api
#include "fuzz/fuzz_api.c"
#undef LLVMFuzzerTestOneInput

#include <dirent.h>

enum { MOST_SEEDS = 200, MOST_SIZE = 1 << 16 };

typedef struct {
    uint8_t *data;
    size_t size;
} input;

static uint64_t random_state;

// splitmix64 (Steele, Lea, Flood 2014).
static size_t random_below(size_t n) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((z ^ (z >> 31)) % n);
}

static int by_content(const void *a, const void *b) {
    const input *x = (const input *)a, *y = (const input *)b;
    int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

// Every file of a folder, in an order that does not depend on the file system.
static size_t read_seeds(const char *target, input *seed) {
    char path[600];
    size_t count = 0;
    struct dirent *entry;
    DIR *folder;
    snprintf(path, sizeof path, "tests/fuzz/seeds/%s", target);
    folder = opendir(path);
    while (folder && count < MOST_SEEDS && (entry = readdir(folder)) != NULL) {
        FILE *f;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "tests/fuzz/seeds/%s/%s", target, entry->d_name);
        f = fopen(path, "rb");
        if (!f) continue;
        seed[count].data = (uint8_t *)malloc(MOST_SIZE);
        if (!seed[count].data) exit(3);
        seed[count].size = fread(seed[count].data, 1, MOST_SIZE, f);
        fclose(f);
        ++count;
    }
    if (folder) closedir(folder);
    qsort(seed, count, sizeof *seed, by_content);
    return count;
}

// One to four changes: bits, bytes, numbers of the text, a piece left out, doubled, or taken from
// another seed, an end cut off.
static size_t mutate(uint8_t *to, const input *from, const input *other) {
    static const char interesting[] = "\0\xff\x7f\x80 ,;\t\"\n\r.0129-+eE{}[]:\\/amot";
    size_t size = from->size;
    memcpy(to, from->data, size);
    for (size_t changes = 1 + random_below(4); changes > 0 && size > 0; --changes) {
        size_t at = random_below(size), length = 1 + random_below(16), place;
        if (length > size - at) length = size - at;
        switch (random_below(7)) {
        case 0: to[at] = (uint8_t)(to[at] ^ (1u << random_below(8))); break;
        case 1: to[at] = (uint8_t)interesting[random_below(sizeof interesting)]; break;
        case 2: to[at] = (uint8_t)random_below(256); break;
        case 3:
            if (to[at] >= '0' && to[at] <= '9') to[at] = (uint8_t)('0' + random_below(10));
            else to[at] = (uint8_t)(to[at] + 1);
            break;
        case 4:
            memmove(to + at, to + at + length, size - at - length);
            size -= length;
            break;
        case 5:
            if (random_below(4) == 0) {
                size = at;
            } else if (size + length <= MOST_SIZE) {
                memmove(to + at + length, to + at, size - at);
                size += length;
            }
            break;
        default:
            if (other->size == 0) break;
            place = random_below(other->size);
            length = 1 + random_below(other->size - place);
            if (random_below(2) && length > 40) length = 1 + random_below(40);
            if (length > size - at) length = size - at;
            memcpy(to + at, other->data + place, length);
        }
    }
    return size;
}

static void keep(const char *target, const uint8_t *data, size_t size) {
    char path[100];
    FILE *f;
    snprintf(path, sizeof path, "build/fuzz_%s.broken", target);
    f = fopen(path, "wb");
    if (!f) return;
    if (fwrite(data, 1, size, f) == size) fprintf(stderr, "%s is left\n", path);
    fclose(f);
}

// One check for each seed, one for each 100 mutations.
static void run(const char *target, int (*one)(const uint8_t *, size_t), size_t mutations) {
    static input seed[MOST_SEEDS];
    static uint8_t changed[MOST_SIZE];
    size_t count = read_seeds(target, seed), broken;
    random_state = 1;
    CHECK_THAT(count >= 4, "%lu seeds for %s", (unsigned long)count, target);
    for (size_t i = 0; i < count; ++i) {
        broken = fuzz_broken;
        one(seed[i].data, seed[i].size);
        CHECK_THAT(fuzz_broken == broken, "%s, seed %lu", target, (unsigned long)i);
        if (fuzz_broken != broken) keep(target, seed[i].data, seed[i].size);
    }
    for (size_t i = 0; i < mutations && count; i += 100) {
        broken = fuzz_broken;
        for (size_t k = 0; k < 100; ++k) {
            size_t before = fuzz_broken;
            size_t size = mutate(changed, &seed[random_below(count)], &seed[random_below(count)]);
            one(changed, size);
            if (fuzz_broken != before) keep(target, changed, size);
        }
        CHECK_THAT(fuzz_broken == broken, "%s, mutations from %lu", target, (unsigned long)i);
    }
    for (size_t i = 0; i < count; ++i) free(seed[i].data);
}

int main(int argc, char **argv) {
    size_t factor = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10)
                              : check_slow() ? 50 : 1;
    run("number", fuzz_number, 20000 * factor);
    run("csv", fuzz_csv, 3000 * factor);
    run("capture", fuzz_capture, 3000 * factor);
    run("dataset", fuzz_dataset, 3000 * factor);
    run("load", fuzz_load_mem, 4000 * factor);
    run("resume", fuzz_resume, 3000 * factor);
    run("api", fuzz_api, 4000 * factor);
    return check_end("test_fuzz");
}
