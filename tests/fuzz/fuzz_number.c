// fuzz_number.c - decimal text to double and back, against the C library, bit for bit.
#include "fuzz.h"

#if defined(PKTSEQ_LINKED) && !defined(INSIDE_H)
#error "this needs the implementation in the same file"
#endif

static uint64_t number_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point.
static int number_is_one(const char *t, size_t size) {
    const char *end = t + size;
    size_t digits = 0;
    if (t < end && (*t == '+' || *t == '-')) ++t;
    for (; t < end && *t >= '0' && *t <= '9'; ++t) ++digits;
    if (t < end && *t == '.')
        for (++t; t < end && *t >= '0' && *t <= '9'; ++t) ++digits;
    if (!digits) return 0;
    if (t < end && (*t == 'e' || *t == 'E')) {
        ++t;
        if (t < end && (*t == '+' || *t == '-')) ++t;
        if (t == end) return 0;
        while (t < end && *t >= '0' && *t <= '9') ++t;
    }
    return t == end;
}

static void number_read(const uint8_t *data, size_t size) {
    char *exact = (char *)fuzz_exactly(data, size);
    char *text = (char *)calloc(size + 17, 1);  // zeros behind it, for strtod and for eights
    const char *end;
    double value = 12345, plain = 12345, expected;
    int good;
    if (!text) exit(3);
    if (size) memcpy(text, data, size);
    good = pktseqi_number_parse(exact, size, &value);
    if (number_is_one(text, size)) {
        expected = strtod(text, NULL);
        FUZZ_THAT(good == fuzz_finite(expected), "%.60s", text);
        FUZZ_THAT(!good || number_bits(value) == number_bits(expected), "%.60s: %.17g, not %.17g",
                  text, value, expected);
    } else {
        FUZZ_THAT(!good && number_bits(value) == number_bits(12345), "%.60s", text);
    }
    end = pktseqi_number_scan(text, text + size + 17, &plain);
    if (end) {
        FUZZ(end > text && end <= text + size);
        FUZZ(number_is_one(text, (size_t)(end - text)));
        good = pktseqi_number_parse(text, (size_t)(end - text), &value);
        FUZZ_THAT(good && number_bits(value) == number_bits(plain), "%.60s: %.17g, not %.17g",
                  text, plain, value);
    }
    free(text);
    free(exact);
}

// The digits of a number without sign, point and the zeros at either end; where the point stands.
static size_t number_digits(const char *text, char *digit, long *point) {
    size_t count = 0;
    long before = 0;
    int behind = 0;
    for (; *text && *text != 'e'; ++text) {
        if (*text == '.') behind = 1;
        if (*text < '0' || *text > '9') continue;
        if (count == 0 && *text == '0') {
            before -= behind;
            continue;
        }
        digit[count++] = *text;
        before += !behind;
    }
    if (*text == 'e') before += strtol(text + 1, NULL, 10);
    while (count && digit[count - 1] == '0') --count;
    *point = count ? before : 0;
    return count;
}

static void number_write(uint64_t bits) {
    char text[40], other[40], digit[40], other_digit[40];
    double value, back = 0;
    size_t length;
    long point, other_point;
    int keep = 15;
    memcpy(&value, &bits, sizeof value);
    memset(text, 0x5a, sizeof text);
    length = pktseqi_number_write(text, value);
    FUZZ(length > 0 && length < 32 && text[length] == 0 && strlen(text) == length);
    FUZZ((unsigned char)text[32] == 0x5a);
    if (!fuzz_finite(value)) {
        FUZZ_THAT(!pktseqi_number_parse(text, length, &back), "%s", text);
        FUZZ_THAT(!strcmp(text, value > 0 ? "inf" : value < 0 ? "-inf" : "nan"), "%s", text);
        return;
    }
    FUZZ_THAT(pktseqi_number_parse(text, length, &back) && number_bits(back) == bits, "%s", text);
    FUZZ_THAT(number_bits(strtod(text, NULL)) == bits, "%s", text);
    for (; keep <= 17; ++keep) {  // as few digits as give it back
        snprintf(other, sizeof other, "%.*g", keep, value);
        if (number_bits(strtod(other, NULL)) == bits) break;
    }
    length = number_digits(text, digit, &point);
    FUZZ_THAT(length == number_digits(other, other_digit, &other_point) &&
                  equal_bytes(digit, other_digit, length) && point == other_point,
              "%s, expected %s", text, other);
    FUZZ((text[0] == '-') == (bits >> 63 != 0));
    snprintf(other, sizeof other, "%.17g", value);  // enough for every double, so read alike
    FUZZ_THAT(pktseqi_number_parse(other, strlen(other), &back) && number_bits(back) == bits,
              "%s", other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t bits = 0;
    if (size > 4096) return 0;
    number_read(data, size);
    for (size_t i = 0; i < 8 && i < size; ++i) bits |= (uint64_t)data[i] << (8 * i);
    number_write(bits);
    return 0;
}
