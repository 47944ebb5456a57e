// test_number.c - section >>number: decimal text to double and back, every bit as strtod of the
// C library.
//
//   ./build/test_number [factor]      factor: how many times the usual number of random cases
//
// The library's strtod is the judge of the value, asked in the C locale; for points halfway between
// two doubles the answer is known beforehand, and both have to give it.
#include "inside.h"
#include "check.h"

#include <float.h>
#include <locale.h>
#include <math.h>

// ---- tools

static uint64_t random_state = 20240607;

// splitmix64 (Steele, Lea, Flood 2014).
static uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned random_below(unsigned n) { return (unsigned)(random_bits() >> 33) % n; }

static uint64_t to_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int is_finite(double value) { return ((to_bits(value) >> 52) & 2047) != 2047; }

// A text in memory of exactly its size: a read beyond its end is one that sanitizers see.
static int parse_exactly(const char *text, size_t size, double *value) {
    char *copy = (char *)malloc(size ? size : 1);
    int good;
    if (!copy) abort();
    memcpy(copy, text, size);
    good = pktseqi_number_parse(copy, size, value);
    free(copy);
    return good;
}

static void check_value(const char *text, size_t size, double expected) {
    double value = 12345;
    int good = parse_exactly(text, size, &value);
    if (is_finite(expected))
        CHECK_THAT(good == 1 && to_bits(value) == to_bits(expected),
                   "\"%.60s\": got %d, %.17g, expected %.17g", text, good, value, expected);
    else
        CHECK_THAT(good == 0, "\"%.60s\": got %.17g, expected a refusal", text, value);
}

static void check_text(const char *text) { check_value(text, strlen(text), strtod(text, NULL)); }

// ---- texts that are numbers, texts that are not

static const char *const accepted[] = {
    "0", "-0", "+0", "0.", ".0", "-.0", "0.0", "00", "000.000", "0e0", "0e5", "0E-5",
    "0e999999999999", "-0e-999999999999",
    "0.000e99999999999999999999999", "1", "+1", "-1", "1.", ".1", "+.1", "-1.",
    "01", "0001.5", "1.50", "1e0", "1E0", "1e+0", "1e-0", "1e00005", "1.e5", ".1e5", "1.5e+5",
    "65535", "1024", "0.1", "0.2", "0.3", "123456789.123456", "921024000.000001",
    // around 2^53, where whole numbers begin to be rounded
    "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740994",
    "9007199254740995", "9007199254740993.0", "9007199254740992.999999999999999999999",
    "9007199254740993.000000000000000000000000000000001", "90071992547409930e-1",
    "900719925474099.3e1", "4503599627370496.5", "4503599627370497.5", "4503599627370496.499999999",
    "4503599627370496.5000000001", "18014398509481986", "18014398509481990", "36028797018963972",
    // where the fast path ends: 10^22, 17 digits, 2^53 with either
    "1e22", "1e23", "9007199254740991e22", "9007199254740993e22", "9007199254740991e23",
    "9007199254740991e-22", "9007199254740991e-23", "1e-22", "1e-23", "123456789012345678e-18",
    "99999999999999999", "99999999999999999e22", "8.5e22", "7.2057594037927933e16",
    // hard cases of David Gay and of Vern Paxson
    "2.2250738585072011e-308", "2.2250738585072012e-308", "2.2250738585072014e-308",
    "2.2250738585072011360574097967091319759348195463516456480234261097248222220210769455165295"
    "239081350879141491589130396211068700864386945946455276572074078206217433799881410632673292"
    "535522868813721490129811224514518898490572223072852551331557550159143974763979834118019993"
    "23962548289017107084303801161110120e-308",
    "6929495644600919.5", "3.7455744005952583e15", "2.1470977154320536489471030463761883783725e9",
    "62950694804459.65e41", "9214843084008499.0", "6.9294956446009195e15", "9.5e-323", "5e-20",
    "1.00000000000000011102230246251565", "1.00000000000000011102230246251565404236316680908203125",
    "1.00000000000000011102230246251565404236316680908203124",
    "1.00000000000000011102230246251565404236316680908203126",
    "5e-324", "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
    "2.47e-324", "2.48e-324", "-2.4703282292062328e-324", "1e-323", "7.4109846876186981e-324",
    "7.4109846876186982e-324", "2.4703282292062327208e-324", "2.4703282292062327209e-324",
    "1e-307", "1e-308", "1e-310", "1e-320", "1e-323", "1e-324", "1e-325", "1e-330", "1e-331",
    "1e-332", "1e-400", "-1e-400", "1e-999999999999", "1e-99999999999999999999999999999",
    "123456789e-400", "1.7976931348623157e308", "1.7976931348623158e308",
    "-1.7976931348623157e308", "0.17976931348623158e309", "17976931348623158e292",
    "1.797693134862315807e308", "1.7976931348623158079e308", "1e308", "0.00001e313",
    "9.999999999999999e307", "4.4501477170144023e-308",
};

static const char *const refused[] = {
    "", "+", "-", ".", "+.", "-.", "e", "e5", ".e5", "+e5", "-.e5", "1e", "1E", "1e+", "1e-", "1.e",
    "1e+ 5", "1e 5", "1 e5", " 1", "1 ", "\t1", "1\t", "1\n", "1\r", "\n1", "- 1", "+ 1", "--1",
    "++1", "+-1", "-+1", "1-", "1+", "1..2", "1.2.3", "..1", "1.5.", "1e5.0", "1e.5", "1e5e5",
    "1e--5", "1e+-5", "1ee5", "1f", "1F", "1l", "1d0", "1.0f", "0x10", "0X10", "0x", "0x1p3",
    "x10", "inf", "-inf", "+inf", "INF", "Inf", "infinity", "nan", "NaN", "-nan", "NAN(1)", "1,5",
    "1,000", "1'000", "1_000", "1;", "$1", "1%", "one", "Set", "True", "\"1\"", "(1)", "1/2", "0b1",
    "\xef\xbc\x91", "\xc2\xa0" "1", "\xd9\xa1", "\xef\xbb\xbf" "1", "1\xc2\xa0", "\xff",
    "1e309", "-1e309", "1e310", "1e311", "1e312", "1e400", "1.7976931348623159e308",
    "-1.7976931348623159e308", "1.797693134862315808e308", "179769313486231590000e288",
    "1e999999999999", "1e99999999999999999999999999999999", "-1e99999999999999999999",
    "0.0000000001e320", "1e18446744073709551616", "1e9223372036854775808", "1e4294967296",
};

static void test_lists(void) {
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; ++i) {
        CHECK_THAT(is_finite(strtod(accepted[i], NULL)), "\"%.60s\"", accepted[i]);
        check_text(accepted[i]);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i) {
        double value;
        CHECK_THAT(parse_exactly(refused[i], strlen(refused[i]), &value) == 0,
                   "\"%.60s\" was taken as %.17g", refused[i], value);
    }
    // Bytes of value 0 are not the end.
    {
        double value;
        CHECK(parse_exactly("1\0", 2, &value) == 0);
        CHECK(parse_exactly("\0", 1, &value) == 0);
        CHECK(parse_exactly("1\0002", 3, &value) == 0);
        CHECK(parse_exactly("\0001", 2, &value) == 0);
    }
    // What stands behind the text does not matter.
    check_value("12345", 3, 123);
    check_value("1.5e57", 5, 1.5e5);
    check_value("1.5e5", 3, 1.5);
}

// Any single byte in front of, behind or in the middle of a number.
static void test_every_byte(void) {
    for (int c = 0; c < 256; ++c) {
        char text[3] = {'1', (char)c, '2'};
        int digit = c >= '0' && c <= '9';
        double value, expected = digit ? 102 + 10 * (c - '0') : c == '.' ? 1.2 : 100;
        int good = parse_exactly(text, 3, &value);
        CHECK_THAT(good == (digit || c == '.' || c == 'e' || c == 'E'), "1, byte %d, 2", c);
        CHECK_THAT(!good || value == expected, "1, byte %d, 2", c);
        CHECK_THAT(parse_exactly(text, 2, &value) == (digit || c == '.'), "1, byte %d", c);
        CHECK_THAT(parse_exactly(text + 1, 2, &value) ==
                   (digit || c == '.' || c == '+' || c == '-'), "byte %d, 2", c);
    }
}

// Long runs of zeros before and behind the point, and exponents that undo them.
static void test_zeros(void) {
    static const size_t length[] = {1, 2, 15, 16, 17, 22, 307, 308, 309, 310, 323, 324, 330, 331,
                                    799, 800, 801, 802, 1000, 5000, 100000};
    static char text[400100];
    for (size_t k = 0; k < sizeof length / sizeof *length; ++k) {
        size_t n = length[k];
        for (int shape = 0; shape < 8; ++shape) {
            size_t size = 0;
            if (shape & 1) text[size++] = '-';
            if (shape < 2 || shape >= 6) {                           // 000...0
                memset(text + size, '0', n);
                size += n;
            }
            if (shape >= 2) {
                if (shape < 4) text[size++] = '7';                   // 7000...0
                if (shape == 4 || shape == 5) text[size++] = '.';    // .000...0
                memset(text + size, '0', n);
                size += n;
            }
            if (shape >= 6) {                                        // 00...0.00...0
                memmove(text + size - n + 1, text + size - n, n);
                text[size++ - n] = '.';
            }
            text[size] = 0;
            check_text(text);
            text[size] = '3';
            text[size + 1] = 0;
            check_text(text);
            sprintf(text + size, "e-%lu", (unsigned long)n);
            check_text(text);
            sprintf(text + size, "12345678901234567e%ld", (long)n);
            check_text(text);
            sprintf(text + size, "12345678901234567e%ld", (long)n + 300);
            check_text(text);
            sprintf(text + size, "2225073858507201136e-%ld", (long)n + 308);
            check_text(text);
            sprintf(text + size, ".25e%lu", (unsigned long)n);
            if (shape != 4 && shape != 5 && shape < 6) check_text(text);
        }
    }
}

// ---- points halfway between two doubles, written out exactly

// Digits of m * 2^e, without a point: value = digits * 10^exponent. At most 1,100 digits.
static size_t exact_digits(uint64_t m, int e, char *digits, int *exponent) {
    uint32_t limb[140];
    size_t size = 0, count;
    *exponent = e < 0 ? e : 0;                      // m * 2^e = m * 5^-e * 10^e
    for (; m; m /= 1000000000) limb[size++] = (uint32_t)(m % 1000000000);
    while (e != 0) {
        uint32_t factor = 1;
        uint64_t carry = 0;
        int step = e > 0 ? (e > 29 ? 29 : e) : (e < -12 ? 12 : -e);
        for (int i = 0; i < step; ++i) factor *= e > 0 ? 2 : 5;
        e += e > 0 ? -step : step;
        for (size_t i = 0; i < size; ++i) {
            carry += (uint64_t)limb[i] * factor;
            limb[i] = (uint32_t)(carry % 1000000000);
            carry /= 1000000000;
        }
        if (carry) limb[size++] = (uint32_t)carry;
    }
    count = (size_t)sprintf(digits, "%lu", (unsigned long)limb[size - 1]);
    for (size_t i = size - 1; i-- > 0;)
        count += (size_t)sprintf(digits + count, "%09lu", (unsigned long)limb[i]);
    return count;
}

// The point in the middle between the double with these bits and the next, its neighbours one unit
// in a far away digit, and the double itself, in several notations. Positive doubles only.
static void check_halfway(uint64_t bits, int notation) {
    static char text[3000];
    char digits[1200], tail[16];
    double low = from_bits(bits), high = from_bits(bits + 1);
    uint64_t m = bits & (((uint64_t)1 << 52) - 1);
    int e = (int)(bits >> 52), exponent;
    size_t count;
    if (e) m |= (uint64_t)1 << 52;
    e = (e ? e : 1) - 1075;
    count = exact_digits(2 * m + 1, e - 1, digits, &exponent);
    for (int side = -1; side <= 1; ++side) {
        size_t size = 0, point = 1 + random_below((unsigned)count);
        double expected = side < 0 ? low : side > 0 ? high : (bits & 1) ? high : low;
        const char *end = side < 0 ? "9" : side > 0 ? "1" : "";
        size_t far = side && notation >= 2 ? random_below(1200) : 0;
        if (side < 0) {  // one less in the last digit, and 9 behind it
            size_t i = count;
            while (digits[--i] == '0') digits[i] = '9';
            --digits[i];
        }
        if (notation & 1) {  // ddd.ddd e+-x
            memcpy(text, digits, point);
            text[point] = '.';
            memcpy(text + point + 1, digits + point, count - point);
            size = count + 1;
        } else {
            memcpy(text, digits, count);
            size = point = count;
            if (side) text[size++] = '.';
        }
        memset(text + size, side < 0 ? '9' : '0', far);
        size += far;
        strcpy(text + size, end);
        sprintf(tail, "e%d", exponent + (int)(count - point));
        strcat(text, tail);
        check_value(text, strlen(text), expected);
        CHECK_THAT(to_bits(strtod(text, NULL)) == to_bits(expected), "strtod: %.60s", text);
        if (side < 0) count = exact_digits(2 * m + 1, e - 1, digits, &exponent);
    }
    count = exact_digits(m ? m : 1, e, digits, &exponent);
    sprintf(text, "%se%d", digits, exponent);
    check_value(text, strlen(text), m ? low : from_bits(1));
}

static void test_halfway(unsigned factor) {
    static const uint64_t special[] = {
        0, 1, 2, 3, 0xfffffffffffffu, 0x10000000000000u, 0x10000000000001u,  // around 2.2e-308
        0xffffffffffffeu, 0x1fffffffffffffu, 0x20000000000000u,
        0x3ff0000000000000u, 0x3fefffffffffffffu, 0x4340000000000000u, 0x433fffffffffffffu,
        0x4340000000000001u, 0x7feffffffffffffeu, 0x7fefffffffffffffu, 0x7fe0000000000000u,
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; ++i)
        for (int notation = 0; notation < 4; ++notation) check_halfway(special[i], notation);
    for (unsigned i = 0; i < 6000 * factor; ++i) {
        uint64_t bits = random_bits() & 0x7fffffffffffffffu;
        if (i % 4 == 0) bits &= 0x007fffffffffffffu;                    // subnormals, and near
        if (i % 4 == 1) bits = (bits & 0x03ffffffffffffffu) | 0x3e00000000000000u;
        if (is_finite(from_bits(bits))) check_halfway(bits, (int)(i % 16 / 4));
    }
}

// ---- random texts

static void test_random(unsigned factor) {
    char text[200];
    for (unsigned i = 0; i < 100000 * factor; ++i) {  // any double at all, 1 to 17 digits
        double value = from_bits(random_bits());
        if (!is_finite(value)) continue;
        sprintf(text, "%.17g", value);
        check_value(text, strlen(text), value);
        sprintf(text, "%.*e", (int)random_below(20), value);
        check_text(text);
    }
    for (unsigned i = 0; i < 300000 * factor; ++i) {  // 1 to 40 digits, a point, an exponent
        size_t size = 0;
        unsigned digits = 1 + random_below(40), point = random_below(2 * digits);
        if (random_below(2)) text[size++] = "+-"[random_below(2)];
        for (unsigned k = 0; k < digits; ++k) {
            if (k == point) text[size++] = '.';
            text[size++] = (char)('0' + (int)random_below(10));
        }
        text[size] = 0;
        if (random_below(2))
            sprintf(text + size, "%c%d", "eE"[random_below(2)],
                    random_below(3) ? (int)random_below(61) - 30 : (int)random_below(701) - 350);
        check_text(text);
    }
    for (unsigned i = 0; i < 1500000 * factor; ++i) {  // what packet files hold
        unsigned long seconds = (unsigned long)(random_bits() >> (34 + random_below(30)));
        sprintf(text, "%lu.%06u", seconds, random_below(1000000));
        check_text(text);
    }
    for (unsigned i = 0; i < 500000 * factor; ++i) {  // the fast path up to its limits
        uint64_t m = random_bits() >> random_below(64);
        sprintf(text, "%llue%d", (unsigned long long)m, (int)random_below(51) - 25);
        check_text(text);
    }
}

// ---- writing

// Digits of a number's text without sign, point, exponent and zeros at either end.
static size_t significant(const char *text, char *digits) {
    size_t count = 0;
    for (; *text && *text != 'e' && *text != 'E'; ++text)
        if (*text >= '0' && *text <= '9' && (count || *text != '0')) digits[count++] = *text;
    while (count && digits[count - 1] == '0') --count;
    digits[count] = 0;
    return count;
}

static void check_write(double value) {
    char guarded[40], wanted[40], digits[40], wanted_digits[40];
    char *text = guarded + 4;
    size_t size;
    double back;
    int precision = 15;
    memset(guarded, '#', sizeof guarded);
    size = pktseqi_number_write(text, value);
    CHECK_THAT(memcmp(guarded, "####", 4) == 0 && memcmp(text + 32, "####", 4) == 0,
               "%.17g: written outside of 32 bytes", value);
    if (size > 31 || text[size] != 0 || strlen(text) != size) {
        CHECK_THAT(0, "%.17g: length %lu", value, (unsigned long)size);
        return;
    }
    CHECK_THAT(to_bits(strtod(text, NULL)) == to_bits(value), "%.17g: wrote %s", value, text);
    CHECK_THAT(pktseqi_number_parse(text, size, &back) && to_bits(back) == to_bits(value),
               "%.17g: wrote %s, read back otherwise", value, text);
    do sprintf(wanted, "%.*g", precision, value);
    while (to_bits(strtod(wanted, NULL)) != to_bits(value) && ++precision <= 17);
    significant(text, digits);
    significant(wanted, wanted_digits);
    CHECK_THAT(strcmp(digits, wanted_digits) == 0, "wrote %s, expected the digits of %s", text,
               wanted);
}

static void test_write(unsigned factor) {
    static const double special[] = {
        0, 1, 10, 0.1, 0.2, 0.3, 0.1 + 0.2, 1.0 / 3, 2.0 / 3, 100, 123456, 1e5, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e21, 1e22, 1e23, 9007199254740991, 9007199254740992, 9007199254740994,
        99999999999999999.0, 999999999999999.9, 0.1234567890123456, 0.00001,
        0.000012345678901234567,
        0.000001, 0.0000099999999999999999, 1e-4, 1e-5, 1e-6, 1e-7, 1e-22, 1e-23, 1e-300, 1e-307,
        5e-324, 1e-323, 2.2250738585072014e-308, 2.2250738585072009e-308, DBL_MAX, DBL_MIN,
        DBL_EPSILON, 1 - DBL_EPSILON / 2, 1 + DBL_EPSILON, 4.35, 0.5, 0.25, 3.14159265358979,
        921024000.123456, 5e15, 9.5, 99.5, 999999999999999.5, 12345678901234567.0,
    };
    char text[32];
    for (size_t i = 0; i < sizeof special / sizeof *special; ++i) {
        check_write(special[i]);
        check_write(-special[i]);
    }
    for (int e = -1074; e < 1024; ++e) check_write(ldexp(1, e));
    for (int e = -323; e < 309; ++e) {
        sprintf(text, "1e%d", e);
        check_write(strtod(text, NULL));
        check_write(from_bits(to_bits(strtod(text, NULL)) - 1));
    }
    for (unsigned i = 0; i < 10000 * factor; ++i) {
        double value = from_bits(random_bits());
        if (is_finite(value)) check_write(value);
    }
    for (unsigned i = 0; i < 100000 * factor; ++i) {
        check_write((double)random_below(2000000000) / 1000000 + random_below(100000));
        check_write((double)(int64_t)(random_bits() >> random_below(64)));
        check_write((double)(float)((double)random_below(1000000) / 333333));
    }
    // For messages.
    CHECK(pktseqi_number_write(text, from_bits((uint64_t)2047 << 52)) == 3 && !strcmp(text, "inf"));
    CHECK(pktseqi_number_write(text, from_bits((uint64_t)4095 << 52)) == 4);
    CHECK(!strcmp(text, "-inf"));
    CHECK(pktseqi_number_write(text, from_bits((uint64_t)4095 << 51)) == 3 && !strcmp(text, "nan"));
}

// ---- a locale that writes 1,5

static void test_locale(void) {
    static const char *const name[] = {
        "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "fr_FR.utf8", "fr_FR", "es_ES.UTF-8",
        "it_IT.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8", "nl_NL.UTF-8", "sv_SE.UTF-8", "German", "",
    };
    static char text[20000][32];
    static double expected[20000];
    const size_t count = sizeof expected / sizeof *expected;
    size_t k = 0, listed = sizeof accepted / sizeof *accepted;
    double list_value[sizeof accepted / sizeof *accepted], value;
    for (size_t i = 0; i < listed; ++i) list_value[i] = strtod(accepted[i], NULL);
    for (size_t i = 0; i < count; ++i) {  // still in the C locale
        do expected[i] = from_bits(random_bits());
        while (!is_finite(expected[i]));
        if (i % 2) expected[i] = (double)random_below(1000000000) / 1000;
        sprintf(text[i], "%.17g", expected[i]);
    }
    while (k < sizeof name / sizeof *name &&
           !(setlocale(LC_ALL, name[k]) && localeconv()->decimal_point[0] == ','))
        ++k;
    if (k == sizeof name / sizeof *name) {
        printf("no locale with a decimal comma is installed here: nothing repeated in one\n");
    } else {
        printf("repeated in locale %s\n", setlocale(LC_ALL, NULL));
        for (size_t i = 0; i < listed; ++i)
            check_value(accepted[i], strlen(accepted[i]), list_value[i]);
        for (size_t i = 0; i < count; ++i) {
            char written[32];
            size_t size = pktseqi_number_write(written, expected[i]);
            check_value(text[i], strlen(text[i]), expected[i]);
            check_value(written, size, expected[i]);
            CHECK_THAT(strchr(written, ',') == NULL, "%s", written);
        }
        CHECK(parse_exactly("1,5", 3, &value) == 0);
        check_value("1.5", 3, 1.5);
    }
    setlocale(LC_ALL, "C");
}

// ---- numbers that something follows

// pktseqi_number_scan says of a text the same, whatever follows it: bytes that may be read eight at
// once, or the end of the memory. Returns whether it took the text.
static int check_scan(const char *text, size_t size, const char *after) {
    double scanned = 12345, exact = 54321;
    size_t more = strlen(after);
    char *copy = (char *)malloc(size + more + 1);
    const char *end;
    int good, taken;
    if (!copy) abort();
    memcpy(copy, text, size);
    memcpy(copy + size, after, more + 1);
    end = pktseqi_number_scan(copy, copy + size + more, &scanned);
    taken = end == copy + size;
    good = parse_exactly(text, size, &exact);
    CHECK_THAT(!end || end > copy, "\"%.60s\": the end is not after the beginning", text);
    CHECK_THAT(!taken || (good && to_bits(scanned) == to_bits(exact)),
               "\"%.60s\": got %.17g, expected %d, %.17g", text, scanned, good, exact);
    free(copy);
    return taken;
}

static void test_scan(unsigned factor) {
    static const char *const taken[] = {
        "0", "-0", "7", "60", "65535", "12345678", "123456789", "1234567890123456", "0.5", "-1.25",
        "25638.800000", "0.000001", "1234567890.123456", "00000000.00000000", "5.", "99999999.9",
        "9007199254740992", "900719925.4740992", "0.0000000000000001", "0000000000000000001",
        "9007199254740993", "99999999999999999999", "18446744073709551617", "-.5", ".5", "+1",
        "0.00000000000000000001", "1e5", "1.5E-300", "2e+7"};
    static const char *const other[] = {"", "-", ".", "--1", "-x", "/", ":", "e5", "1e999", "+.e1"};
    static const char *const after[] = {"", ",7777777", "\n6,1,2,3", "\r\n777777", "\t", ";", "|77",
                                        "/", ":8888888", " 7777777777", "\x80" "7777777", "\xb0",
                                        "\xb9", "\xff" "77777777777"};
    size_t count = 0;
    for (size_t k = 0; k < sizeof after / sizeof *after; ++k) {
        for (size_t i = 0; i < sizeof taken / sizeof *taken; ++i)
            CHECK_THAT(check_scan(taken[i], strlen(taken[i]), after[k]), "\"%s\"", taken[i]);
        for (size_t i = 0; i < sizeof other / sizeof *other; ++i)
            CHECK_THAT(!check_scan(other[i], strlen(other[i]), after[k]), "\"%s\"", other[i]);
        for (size_t i = 0; i < sizeof accepted / sizeof *accepted; ++i)
            CHECK_THAT(check_scan(accepted[i], strlen(accepted[i]), after[k]), "\"%s\"",
                       accepted[i]);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i)
            CHECK_THAT(!check_scan(refused[i], strlen(refused[i]), after[k]), "\"%s\"", refused[i]);
    }
    CHECK(!check_scan("1", 1, "e,") && !check_scan("1", 1, "e") && !check_scan("1", 1, "E+,"));
    for (unsigned i = 0; i < 200000 * factor; ++i) {
        char text[48];
        size_t size = 0, most = 1 + random_below(i % 4 ? 18 : 40);
        if (random_below(4) == 0) text[size++] = '-';
        for (size_t k = 0; k < most; ++k) {
            text[size++] = (char)('0' + random_below(10));
            if (random_below(8) == 0) text[size++] = ".................-e/:"[random_below(21)];
            if (size > 44) break;
        }
        text[size] = 0;
        count += (size_t)check_scan(text, size, after[random_below(14)]);
    }
    CHECK_THAT(count > 50000 * factor, "%lu taken", (unsigned long)count);
}

int main(int argc, char **argv) {
    unsigned factor = argc > 1 ? (unsigned)atoi(argv[1]) : check_slow() ? 20 : 1;
    test_lists();
    test_every_byte();
    test_zeros();
    test_halfway(factor);
    test_random(factor);
    test_scan(factor);
    test_write(factor);
    test_locale();
    return check_end("test_number");
}
