// test_plot.c - the loss picture: XML that closes what it opens, and says what it must.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <ctype.h>
#include <math.h>
#include <unistd.h>

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
static char *texts_of(const pktseq_buffer *b) {
    char *text = (char *)malloc(2 * b->size + 1);
    size_t n = 0;
    int inside = 0;
    if (!text) exit(3);
    for (size_t i = 0; i < b->size; ++i) {
        char c = (char)b->data[i];
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

static int contains(const pktseq_buffer *b, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= b->size; ++i)
        if (!memcmp(b->data + i, text, length)) return 1;
    return 0;
}

// The numbers in the attributes that draw something must be numbers.
static int has_non_number(const pktseq_buffer *b) {
    static const char *const bad[] = {"nan", "NaN", "NAN", "inf\"", "inf,", "inf ", "Inf", "-inf",
                                      "1.#"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
        if (contains(b, bad[i])) return 1;
    return 0;
}

// How many coordinates of the curve lie far from the picture (of 960 x 480): what became of NaN.
static size_t count_far(const pktseq_buffer *b) {
    size_t far = 0;
    const char *p = (const char *)b->data, *end = p + b->size;
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
    pktseq_buffer b;
    pktseq_error err;
    memset(&b, 0x5a, sizeof b);
    pktseq_status status = pktseq_loss_svg_mem(&b, point, NULL, count, every, "a run", NULL, &err);
    CHECK_THAT(status == PKTSEQ_OK, "%s: %s", what, err.text);
    if (status) return;
    const char *fault = xml_fault((const char *)b.data, b.size);
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
    pktseq_buffer_free(&b);
    CHECK(!b.data && !b.size);
    pktseq_buffer_free(&b);
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
        pktseq_buffer flat, spike;
        for (size_t i = 0; i < 100000; ++i) point[i] = 1 + (double)(i % 2);
        CHECK(!pktseq_loss_svg_mem(&flat, point, NULL, 100000, 1, "t", NULL, NULL));
        point[place == 0 ? 0 : place == 1 ? 54321 : 99999] = 50;
        CHECK(!pktseq_loss_svg_mem(&spike, point, NULL, 100000, 1, "t", NULL, NULL));
        CHECK_THAT(flat.size != spike.size || memcmp(flat.data, spike.data, flat.size), "%d",
                   place);
        pktseq_buffer_free(&flat);
        pktseq_buffer_free(&spike);
    }
}

static void test_title(void) {
    static const double point[] = {1, 0.5, 0.25};
    pktseq_buffer b;
    CHECK(!pktseq_loss_svg_mem(&b, point, NULL, 3, 10, "<b>&amp; \"q\" 'a' ]]> \xc3\xa9", NULL, NULL));
    CHECK(!xml_fault((const char *)b.data, b.size));
    CHECK(contains(&b, "&lt;b&gt;&amp;amp; "));
    CHECK(contains(&b, "\xc3\xa9"));
    CHECK(!contains(&b, "<b>"));
    CHECK(!contains(&b, "]]>"));
    pktseq_buffer_free(&b);
    CHECK(!pktseq_loss_svg_mem(&b, point, NULL, 3, 10, "a\x01\nb\x1f", NULL, NULL));
    CHECK(!xml_fault((const char *)b.data, b.size));
    pktseq_buffer_free(&b);
    CHECK(!pktseq_loss_svg_mem(&b, point, NULL, 3, 10, "", NULL, NULL));
    CHECK(!xml_fault((const char *)b.data, b.size));
    pktseq_buffer_free(&b);
}

static void test_arguments(void) {
    static const double point[] = {1, 0.5, 0.25};
    pktseq_buffer b;
    pktseq_error err;
    memset(&b, 0x5a, sizeof b);
    CHECK(pktseq_loss_svg_mem(NULL, point, NULL, 3, 1, "t", NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_loss_svg_mem(&b, NULL, NULL, 3, 1, "t", NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(err.status == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
    pktseq_buffer_free(&b);
}

// The twin that takes a path writes the same bytes, and leaves nothing else.
static void test_path(void) {
    static const double point[] = {1, 0.5, 0.25};
    const char *path = "test_plot.svg";
    char temporary[64];
    char text[20000];
    pktseq_buffer b;
    pktseq_error err;
    CHECK(!pktseq_loss_svg_mem(&b, point, NULL, 3, 10, "t", NULL, NULL));
    CHECK(!pktseq_loss_svg(path, point, NULL, 3, 10, "t", &err));
    FILE *f = fopen(path, "rb");
    size_t got = f ? fread(text, 1, sizeof text, f) : 0;
    if (f) fclose(f);
    CHECK(got == b.size && !memcmp(text, b.data, b.size));
    snprintf(temporary, sizeof temporary, "%s.%lu-0.tmp", path, (unsigned long)getpid());
    CHECK(!fopen(temporary, "rb"));
    CHECK(!remove(path));
    CHECK(pktseq_loss_svg("no/such/folder/x", point, NULL, 3, 10, "t", &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(strstr(err.text, "no/such/folder/x"), "%s", err.text);
    CHECK(pktseq_loss_svg(NULL, point, NULL, 3, 10, "t", &err) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_buffer_free(&b);
}

// The last values stand in the picture, and a second curve has its own, where it has points.
static void test_held(void) {
    static double point[50], held[50];
    char text[20000];
    pktseq_buffer b;
    for (size_t i = 0; i < 50; ++i) {
        point[i] = 3.14159 / (double)(i + 1);
        held[i] = i % 7 == 0 ? 5.0 / (double)(i + 1) : (double)NAN;
    }
    for (int with = 0; with < 3; ++with) {
        for (size_t i = 0; with == 2 && i < 50; ++i) held[i] = (double)NAN;
        CHECK(!pktseq_loss_svg_mem(&b, point, with ? held : NULL, 50, 10, "t", NULL, NULL));
        CHECK(!xml_fault((const char *)b.data, b.size) && b.size < sizeof text);
        memcpy(text, b.data, b.size);
        text[b.size] = 0;
        CHECK_THAT(strstr(text, with == 1 ? ">trained on 0.06283<" : ">now 0.06283<"), "%d", with);
        CHECK_THAT(!strstr(text, ">held out 0.1<") == (with != 1), "%d", with);
        pktseq_buffer_free(&b);
    }
}

static void test_memory(void) {
    static double point[5000];
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    size_t failures = 0;
    for (size_t i = 0; i < 5000; ++i) point[i] = (double)(i * 7919 % 101);
    for (size_t k = 1; status == PKTSEQ_ERROR_MEMORY && k < 1000; ++k) {
        counter c;
        pktseq_allocator a;
        pktseq_buffer b;
        pktseq_error err;
        memset(&c, 0, sizeof c);
        memset(&b, 0x5a, sizeof b);
        c.fail_at = k;
        a.alloc_fn = count_alloc;
        a.free_fn = count_free;
        a.user_data = &c;
        status = pktseq_loss_svg_mem(&b, point, NULL, 5000, 1, "t", &a, &err);
        failures += status == PKTSEQ_ERROR_MEMORY;
        CHECK_THAT(status == PKTSEQ_OK || (!b.data && c.live == 0 && err.status == status),
                   "allocation %lu: status %d", (unsigned long)k, (int)status);
        pktseq_buffer_free(&b);
        CHECK_THAT(c.live == 0, "allocation %lu", (unsigned long)k);
    }
    CHECK_THAT(status == PKTSEQ_OK && failures > 0, "status %d", (int)status);
}

// ---- odd curves and titles

// The picture as a C string in `text`.
static pktseq_status draw_text(char *text, size_t size, const double *point, size_t count,
                               size_t every, const char *title, pktseq_error *err) {
    pktseq_buffer buffer;
    pktseq_status status = pktseq_loss_svg_mem(&buffer, point, NULL, count, every, title, NULL, err);
    text[0] = 0;
    if (status == PKTSEQ_OK && buffer.size < size) {
        memcpy(text, buffer.data, buffer.size);
        text[buffer.size] = 0;
    }
    pktseq_buffer_free(&buffer);
    return status;
}

// Titles; losses below zero, as a likelihood's may be; a curve that is flat there; a curve of tiny
// steps far from zero.
static void test_plots(void) {
    static char text[20000];
    const double falling[] = {3, 1, -2, -4}, flat[] = {-5, -5, -5}, tiny[] = {1e6, 1e6 + 1e-5};
    const double five[] = {5, 0};
    pktseq_error err;
    CHECK(draw_text(text, sizeof text, falling, 4, 100, NULL, &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">Training loss<") && strstr(text, ">-4<") && strstr(text, ">-2<") &&
          strstr(text, ">0<") && strstr(text, ">2<") && !strstr(text, ">-0<"));
    // A mark below each number of the x axis, and the axis itself.
    CHECK(strstr(text, "<path class=\"axis\" d=\"M84.0 416v5\"/>") &&
          strstr(text, "<path class=\"axis\" d=\"M936.0 416v5\"/>") &&
          strstr(text, "<path class=\"axis\" d=\"M84 416H936\"/>"));
    CHECK(draw_text(text, sizeof text, five, 2, 100, NULL, &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">1<") && strstr(text, ">3<"));  // five steps of 1, not three of 2
    CHECK(draw_text(text, sizeof text, falling, 4, 100, "a \xff", &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "UTF-8") && !text[0], "%s", err.text);
    CHECK(draw_text(text, sizeof text, falling, 4, 100, "caf\xc3\xa9 <1>", &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">caf\xc3\xa9 &lt;1&gt;<"));
    CHECK(draw_text(text, sizeof text, flat, 3, 100, "", &err) == PKTSEQ_OK);
    // the curve lies between the two ends of its axis, -6 and -4
    CHECK(strstr(text, ">-6.0<") && strstr(text, ">-4.0<") && strstr(text, "cy=\"246.0\""));
    CHECK(draw_text(text, sizeof text, tiny, 2, 100, "", &err) == PKTSEQ_OK);
    CHECK(strstr(text, "000000000000e-6<") && !strstr(text, "nan") && !strstr(text, "inf"));
    CHECK(draw_text(text, sizeof text, falling, 4, 0, "", &err) == PKTSEQ_OK);
    CHECK(strstr(text, "</svg>") && !strstr(text, "nan") && !strstr(text, "inf"));
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
    test_arguments();
    test_path();
    test_held();
    test_memory();
    test_plots();
    return check_end("test_plot");
}
