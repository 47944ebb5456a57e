// test_plot.c - examples/plot.h: the trainer's loss picture, XML that closes what it opens, and
// says what it must.
#include "check.h"
#include "../examples/plot.h"

#include <ctype.h>

// A picture in memory.
typedef struct picture {
    char *data;  // ended by 0
    size_t size;
} picture;

// Draws into memory. The caller frees data.
static picture draw_picture(const double *point, const double *held, size_t count, size_t every,
                            const char *title) {
    picture p;
    FILE *file = tmpfile();
    long size;
    if (!file || !plot_loss(file, point, held, count, every, title)) exit(3);
    size = ftell(file);
    rewind(file);
    p.data = (char *)malloc((size_t)size + 1);
    if (!p.data || fread(p.data, 1, (size_t)size, file) != (size_t)size) exit(3);
    p.data[size] = 0;
    p.size = (size_t)size;
    fclose(file);
    return p;
}

// Walks over XML. Returns NULL if it is well formed as far as SVG needs it: one root, tags that
// close in order, attributes in quotes and not twice in a tag, no bare < or &. Else what is wrong.
static const char *xml_fault(const char *p, size_t size) {
    const char *end = p + size;
    char stack[32][32];
    size_t depth = 0, roots = 0;
    if (size >= 5 && !memcmp(p, "<?xml", 5)) {
        while (p < end && *p != '>') ++p;
        if (p++ == end) return "declaration without an end";
    }
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c != '<') {
            if (c < 32 && c != '\n' && c != '\t' && c != '\r') return "control character";
            if (c == '&') {
                size_t left = (size_t)(end - p);
                if (!(left > 3 && !memcmp(p, "&lt;", 4)) && !(left > 3 && !memcmp(p, "&gt;", 4)) &&
                    !(left > 4 && !memcmp(p, "&amp;", 5)) &&
                    !(left > 5 && !memcmp(p, "&quot;", 6)) &&
                    !(left > 5 && !memcmp(p, "&apos;", 6)) && !(left > 2 && p[1] == '#'))
                    return "bare &";
            }
            if (depth == 0 && !isspace(c)) return "text outside the root";
            ++p;
            continue;
        }
        ++p;
        int closing = p < end && *p == '/';
        p += closing;
        char name[32];
        size_t n = 0;
        while (p < end && (isalnum((unsigned char)*p) || *p == '-' || *p == ':') && n < 31)
            name[n++] = *p++;
        name[n] = 0;
        if (n == 0) return "bare <";
        if (closing) {
            if (p == end || *p++ != '>') return "closing tag without >";
            if (depth == 0 || strcmp(stack[--depth], name)) return "tag closed that was not open";
            continue;
        }
        char seen[16][32];
        size_t attributes = 0;
        for (;;) {
            while (p < end && isspace((unsigned char)*p)) ++p;
            if (p == end) return "tag without an end";
            if (*p == '>' || *p == '/') break;
            n = 0;
            while (p < end && (isalnum((unsigned char)*p) || *p == '-' || *p == ':') && n < 31)
                seen[attributes][n++] = *p++;
            seen[attributes][n] = 0;
            if (n == 0 || end - p < 2 || p[0] != '=' || p[1] != '"') return "attribute";
            for (size_t i = 0; i < attributes; ++i)
                if (!strcmp(seen[i], seen[attributes])) return "attribute twice";
            if (++attributes == 16) return "too many attributes for this test";
            for (p += 2; p < end && *p != '"'; ++p)
                if (*p == '<') return "< in an attribute";
            if (p++ == end) return "attribute without an end";
        }
        if (*p == '/') {
            if (end - p < 2 || p[1] != '>') return "bare /";
            roots += depth == 0;
            p += 2;
        } else {
            roots += depth == 0;
            if (depth == 32) return "too deep for this test";
            strcpy(stack[depth++], name);
            ++p;
        }
    }
    return depth ? "tag left open" : roots == 1 ? NULL : "not one root";
}

// The text between tags, one piece after another, each ended by a newline. The caller frees.
static char *texts_of(const picture *b) {
    char *text = (char *)malloc(2 * b->size + 1);
    size_t n = 0;
    int inside = 0;
    if (!text) exit(3);
    for (size_t i = 0; i < b->size; ++i) {
        char c = b->data[i];
        if (c == '<') text[n++] = '\n';
        else if (!inside && c != '\n') text[n++] = c;
        if (c == '<') inside = 1;
        if (c == '>') {
            if (!inside) text[n++] = c;
            else if (n && text[n - 1] == '>') --n;
            inside = 0;
        }
    }
    text[n] = 0;
    return text;
}

// How many pieces of text are numbers: the labels of the ticks.
static size_t count_numbers(const char *text) {
    size_t count = 0;
    while (*text) {
        char *end;
        double value = strtod(text, &end);
        count += end != text && isfinite(value) && (*end == '\n' || *end == 0);
        while (*text && *text++ != '\n') {}
    }
    return count;
}

static int contains(const picture *b, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= b->size; ++i)
        if (!memcmp(b->data + i, text, length)) return 1;
    return 0;
}

// The numbers in the attributes that draw something must be numbers.
static int has_non_number(const picture *b) {
    static const char *const bad[] = {"nan", "NaN", "NAN", "inf\"", "inf,", "inf ", "Inf", "-inf",
                                      "1.#"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
        if (contains(b, bad[i])) return 1;
    return 0;
}

// How many coordinates of the curve lie far from the picture (of 960 x 480): what became of NaN.
static size_t count_far(const picture *b) {
    size_t far = 0;
    const char *p = b->data, *end = p + b->size;
    for (; p < end; ++p) {
        if (end - p < 8 || memcmp(p, "points=\"", 8)) continue;
        for (p += 8; *p != '"';) {
            char *behind;
            double v = strtod(p, &behind);
            far += behind == p || !(v >= -5000 && v <= 5000);
            for (p = behind == p ? p + 1 : behind; *p == ' ' || *p == ','; ++p) {}
        }
    }
    return far;
}

static void draw(const char *what, const double *point, size_t count, size_t every,
                 size_t least_numbers) {
    picture b = draw_picture(point, NULL, count, every, "a run");
    const char *fault = xml_fault(b.data, b.size);
    char *text = texts_of(&b);
    CHECK_THAT(!fault, "%s: %s", what, fault ? fault : "");
    CHECK_THAT(contains(&b, "<svg") && contains(&b, "http://www.w3.org/2000/svg"), "%s", what);
    CHECK_THAT(contains(&b, "a run") && contains(&b, "iteration") && contains(&b, "loss"), "%s",
               what);
    CHECK_THAT(count_numbers(text) >= least_numbers, "%s: %lu ticks", what,
               (unsigned long)count_numbers(text));
    CHECK_THAT(!has_non_number(&b), "%s", what);
    CHECK_THAT(count_far(&b) == 0, "%s: %lu coordinates", what, (unsigned long)count_far(&b));
    CHECK_THAT(b.size < 200000, "%s: %lu bytes", what, (unsigned long)b.size);
    free(text);
    free(b.data);
}

static void test_points(void) {
    static double point[100000];
    static const double one[] = {0.5}, same[] = {2, 2, 2, 2}, zeros[] = {0, 0, 0};
    static const double odd[] = {NAN, 1, INFINITY, 0.5, -INFINITY, 0.25, NAN};
    static const double none[] = {NAN, INFINITY}, huge[] = {1e308, -1e308, 1e308};
    static const double small[] = {1e-300, 2e-300, 4.9e-324}, wide[] = {1e-300, 1e300, 1};
    draw("no points", NULL, 0, 100, 0);
    draw("one point", one, 1, 100, 2);
    draw("equal points", same, 4, 100, 4);
    draw("zeros", zeros, 3, 1, 2);
    draw("points that are no numbers among others", odd, 7, 1, 4);
    draw("only points that are no numbers", none, 2, 1, 0);
    draw("huge points", huge, 3, 1, 2);
    draw("small points", small, 3, 1, 2);
    draw("the smallest point", &small[2], 1, 1, 2);
    draw("wide range", wide, 3, 1, 2);
    for (size_t i = 0; i < 100000; ++i)
        point[i] = 1.0 / (1 + (double)i) + (double)(i * 7919 % 101) / 1000;
    draw("100,000 points", point, 100000, 100, 4);
    draw("1,000 points", point, 1000, 100, 4);
    draw("a long way between points", one, 1, (size_t)-1, 0);
    draw("far more iterations than a size_t holds", same, 4, (size_t)-1, 0);
}

// The highest point of a curve must be seen, however many points share a pixel. Drawn twice, with
// and without one high point among 100,000: the scale, and so the picture, must differ.
static void test_spike(void) {
    static double point[100000];
    for (int place = 0; place < 3; ++place) {
        picture flat, spike;
        for (size_t i = 0; i < 100000; ++i) point[i] = 1 + (double)(i % 2);
        flat = draw_picture(point, NULL, 100000, 1, "t");
        point[place == 0 ? 0 : place == 1 ? 54321 : 99999] = 50;
        spike = draw_picture(point, NULL, 100000, 1, "t");
        CHECK_THAT(flat.size != spike.size || memcmp(flat.data, spike.data, flat.size), "%d",
                   place);
        free(flat.data);
        free(spike.data);
    }
}

static void test_title(void) {
    static const double point[] = {1, 0.5, 0.25};
    static const char *const title[] = {"<b>&amp; \"q\" 'a' ]]> \xc3\xa9", "a\x01\nb\x1f", ""};
    for (size_t i = 0; i < 3; ++i) {
        picture b = draw_picture(point, NULL, 3, 10, title[i]);
        CHECK(!xml_fault(b.data, b.size));
        CHECK(i || (contains(&b, "&lt;b&gt;&amp;amp; ") && contains(&b, "\xc3\xa9") &&
                    !contains(&b, "<b>") && !contains(&b, "]]>")));
        free(b.data);
    }
}

// What cannot be written is told.
static void test_full(void) {
    static const double point[] = {1, 0.5, 0.25};
    FILE *full = fopen("/dev/full", "wb");
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        CHECK(!plot_loss(full, point, NULL, 3, 10, "t"));
        fclose(full);
    } else {
        printf("  SKIPPED: /dev/full is not there\n");
    }
}

// The last values stand in the picture, and a second curve has its own, where it has points.
static void test_held(void) {
    static double point[50], held[50];
    for (size_t i = 0; i < 50; ++i) {
        point[i] = 3.14159 / (double)(i + 1);
        held[i] = i % 7 == 0 ? 5.0 / (double)(i + 1) : (double)NAN;
    }
    for (int with = 0; with < 3; ++with) {
        for (size_t i = 0; with == 2 && i < 50; ++i) held[i] = (double)NAN;
        picture b = draw_picture(point, with ? held : NULL, 50, 10, "t");
        CHECK(!xml_fault(b.data, b.size));
        CHECK_THAT(strstr(b.data, with == 1 ? ">trained on 0.06283<" : ">now 0.06283<"), "%d",
                   with);
        CHECK_THAT(!strstr(b.data, ">held out 0.1<") == (with != 1), "%d", with);
        free(b.data);
    }
}

// ---- odd curves and titles

// Does a picture hold all of these texts, up to a NULL, and no number that is none?
static int shows(const double *point, size_t count, size_t every, const char *const *text) {
    picture b = draw_picture(point, NULL, count, every, "Training loss");
    int good = strstr(b.data, "</svg>") && !strstr(b.data, "nan") && !strstr(b.data, "inf") &&
               !strstr(b.data, ">-0<");
    for (; *text; ++text) good = good && strstr(b.data, *text);
    free(b.data);
    return good;
}

// Losses below zero, as a likelihood's may be; a curve that is flat there; a curve of tiny steps
// far from zero; five steps of 1, not three of 2.
static void test_plots(void) {
    const double falling[] = {3, 1, -2, -4}, flat[] = {-5, -5, -5}, tiny[] = {1e6, 1e6 + 1e-5};
    const double five[] = {5, 0}, many[] = {123456, 98765};
    // A mark below each number of the x axis, and the axis itself.
    static const char *const marks[] = {
        ">Training loss<", ">-4<", ">-2<", ">0<", ">2<",
        "<path class=\"axis\" d=\"M84.0 416v5\"/>", "<path class=\"axis\" d=\"M936.0 416v5\"/>",
        "<path class=\"axis\" d=\"M84 416H936\"/>", NULL};
    static const char *const ones[] = {">1<", ">3<", NULL};
    // the curve lies between the two ends of its axis, -6 and -4
    static const char *const around[] = {">-6.0<", ">-4.0<", "cy=\"246.0\"", NULL};
    static const char *const powers[] = {"000000000000e-6<", NULL};
    static const char *const commas[] = {">100,000<", ">1,500,000<", NULL}, *const none[] = {NULL};
    CHECK(shows(falling, 4, 100, marks));
    CHECK(shows(five, 2, 100, ones));
    CHECK(shows(flat, 3, 100, around));
    CHECK(shows(tiny, 2, 100, powers));
    CHECK(shows(many, 2, 1000000, commas));
    CHECK(shows(falling, 4, 0, none));
}

int main(void) {
    // The balancer must be able to say no.
    static const char *const bad[] = {"<a><b></a></b>", "<a>&</a>", "<a>", "<a x=1/>", "<a/><a/>",
                                      "<a x=\"1\" x=\"2\"/>", "</a>", "a", "<a b=\"<\"/>", ""};
    static const char good[] = "<a x=\"1\">&lt;<b/></a>\n";
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
        CHECK_THAT(xml_fault(bad[i], strlen(bad[i])), "%s", bad[i]);
    CHECK(!xml_fault(good, strlen(good)));
    test_points();
    test_spike();
    test_title();
    test_full();
    test_held();
    test_plots();
    return check_end("test_plot");
}
