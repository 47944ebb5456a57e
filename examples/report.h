// report.h - writes what detect found as one HTML page with pictures. Include it after pktseq.h.
//
// The page stands alone: no scripts, nothing loaded from elsewhere (its own policy forbids both),
// light or dark as the reader's system is. Its pictures are SVG without a viewBox: positions are
// percents, so they grow with the page while texts and marks keep their size, on a telephone, too.
// However many sequences there are, a picture has at most about 2,000 marks.
#ifndef REPORT_H
#define REPORT_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

// One packet of a sequence.
typedef struct report_step {
    size_t packet;                // its number in the sequence, from 1
    size_t frame;                 // its number in the capture, or its row in the file
    double time;                  // seconds
    const char *expected, *seen;  // in packet units; any bytes
    const char *why;              // the field that contributed most, or ""
    double score;                 // its share of the sequence's score; may be slightly negative
} report_step;

// One sequence of the list.
typedef struct report_item {
    size_t sequence;              // its number in the file, from 0
    size_t row;                   // its first row in the file, 1 = the first after the header
    size_t last_row;              // its last one
    double time, last_time;       // seconds, of its first and its last packet
    const char *when;             // the first as people write it
    const char *who, *last_who;   // the first and the last packet: "10.0.0.1:4000 -> 10.0.0.2:80"
    const char *filter;           // Wireshark's display filter for its packets; "" if there is none
    size_t packets;
    double score;
    const char *label;            // or NULL
    const report_step *step;      // (steps) at most 40
    size_t steps;
} report_item;

// An entry of the list: an incident, or a sequence where there is none.
typedef struct report_entry {
    const char *who;              // both ends
    double score, time, last_time;  // the highest score; seconds, of its first and its last packet
    size_t sequences;
    const char *label;            // of all its sequences; or ""
    const char *reason[3];        // what contributed most to the score, as sentences; may be NULL
    const report_item *item;      // (items) some of its sequences, the highest score first
    size_t items;
} report_entry;

// All that a page shows. Everything is borrowed.
typedef struct report {
    const char *data, *model;     // names of the files
    const char *const *summary;   // (summaries) lines of plain text, as printed on the terminal
    size_t summaries;
    size_t count;                 // sequences
    const double *time, *score;   // (count)
    const unsigned char *anomalous;  // (count) by label: 1, 0, or 2, not known, which is left
                                     //   out; NULL when there are no labels
    double threshold, threshold_low, threshold_high;  // all equal when no range is known; a
                                                      //   threshold from 1e300 on is none
    const pktseq_evaluation *evaluation;  // NULL when there are no labels, or all are equal
    const report_entry *top;      // (top_count), highest score first
    size_t top_count;
    size_t incidents;             // in all; 0: entries are sequences
    const char *unit;             // what is counted: "sequence" or "connection"
    int frames;                   // report_step.frame is a number in the capture
    int capture;                  // and report_item.row is one
} report;

// ---- text

// Writes a number: grouped digits, a point whatever the locale, never "-0".
static char *report_number(char text[48], double v, int decimals) {
    char raw[64], *to = text;
    size_t whole = 0;
    if (v != v) return strcpy(text, "not a number");
    if (fabs(v) > 1e300) return strcpy(text, v > 0 ? "infinite" : "-infinite");
    if (decimals <= 6 && fabs(v) < 0.5 * pow(10, -decimals)) v = 0;
    if (fabs(v) >= 1e9 || decimals > 6) snprintf(raw, sizeof raw, "%.3g", v);
    else snprintf(raw, sizeof raw, "%.*f", decimals, v);
    for (const char *p = raw + (raw[0] == '-'); *p >= '0' && *p <= '9'; ++p) ++whole;
    for (const char *p = raw; *p;) {
        if (!strchr("0123456789e+-", *p)) {  // the locale's point, of one byte or more
            while (*p && !strchr("0123456789e+-", *p)) ++p;
            *to++ = '.';
            whole = 0;
            continue;
        }
        if (*p == 'e') whole = 0;
        *to++ = *p;
        if (*p++ != '-' && whole > 1 && --whole % 3 == 0) *to++ = ',';
    }
    *to = 0;
    return text;
}

// Returns how many decimals show this many significant digits; 7 stands for powers of ten.
static int report_decimals(double v, int significant) {
    double power;
    if (!(fabs(v) > 0) || fabs(v) > 1e300) return 0;
    power = floor(log10(fabs(v)));
    if (power < -4) return 7;
    return power >= significant ? 0 : significant - 1 - (int)power;
}

// Writes up to four significant digits, without trailing zeros.
static const char *report_short(char text[48], double v) {
    size_t size;
    report_number(text, v, report_decimals(v, 4));
    if (!strchr(text, '.') || strchr(text, 'e')) return text;
    for (size = strlen(text); text[size - 1] == '0';) text[--size] = 0;
    if (text[size - 1] == '.') text[size - 1] = 0;
    return text;
}

// Writes a share as a percentage, with more decimals where it is small.
static const char *report_percent(char text[48], double share) {
    double v = 100 * share;
    report_number(text, v, v <= 0 || v >= 99.95 ? 0 : v >= 1 ? 1 : v >= 0.1 ? 2 : 3);
    return strcat(text, "&nbsp;%");
}

// Returns 1 if a character would break the page, be invisible, or turn the text around it.
static int report_unfit(unsigned long code) {
    return (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
           code == 0x61c || code == 0xfeff || (code >= 0xfdd0 && code < 0xfdf0) ||
           (code & 0xfffe) == 0xfffe || code >= 0xe0000;
}

// Writes any bytes as text of the page: nothing in a capture can become markup.
static void report_put_text(FILE *file, const char *text) {
    const unsigned char *p = (const unsigned char *)(text ? text : "");
    while (*p) {
        unsigned long code = 0;
        size_t size = output_utf8(p, &code);
        if (size == 0 || report_unfit(code)) fputs("&#xFFFD;", file);
        else if (code == '<') fputs("&lt;", file);
        else if (code == '>') fputs("&gt;", file);
        else if (code == '&') fputs("&amp;", file);
        else if (code == '"') fputs("&quot;", file);
        else if (code == '\'') fputs("&#39;", file);
        else if (code == '\t') fputc(' ', file);
        else if (code < 32) fprintf(file, "&#x24%02lX;", code);  // its picture
        else fwrite(p, 1, size, file);
        p += size ? size : 1;
    }
}

// Writes a format with its own letters, so that no value is written unescaped by mistake:
//   %s the program's own text, as it is   %x foreign text, escaped   %u size_t   %p share, percent
//   %v double, up to four digits       %w double, for coordinates, two decimals
static void report_put(FILE *file, const char *format, ...) {
    char text[48];
    va_list list;
    va_start(list, format);
    for (; *format; ++format) {
        if (*format != '%' || !format[1]) {
            fputc(*format, file);
            continue;
        }
        switch (*++format) {
        case 's': fputs(va_arg(list, const char *), file); break;
        case 'x': report_put_text(file, va_arg(list, const char *)); break;
        case 'u': fputs(report_number(text, (double)va_arg(list, size_t), 0), file); break;
        case 'p': fputs(report_percent(text, va_arg(list, double)), file); break;
        case 'v': fputs(report_short(text, va_arg(list, double)), file); break;
        case 'w': fputs(report_number(text, va_arg(list, double), 2), file); break;
        default:  // a percent sign of the text
            fputc('%', file);
            fputc(*format, file);
        }
    }
    va_end(list);
}

// Writes seconds as h:mm:ss, or as a number with decimals.
static const char *report_clock(char text[48], double seconds, int hours, int decimals) {
    double whole = floor(seconds + 0.5);
    if (!hours || !(whole >= 0) || whole > 1e12) return report_number(text, seconds, decimals);
    snprintf(text, 48, "%.0f:%02d:%02d", floor(whole / 3600), (int)(fmod(whole, 3600) / 60),
             (int)fmod(whole, 60));
    return text;
}

// ---- axes

typedef struct report_axis {
    double low, high;
    int log;               // 1: logarithmic; low is above 0
    double step;           // of linear ticks
} report_axis;

// Returns the position of a value, 0 to 1; values beyond an end are drawn at it.
static double report_at(const report_axis *axis, double v) {
    double at = axis->log ? (v > axis->low ? log(v) - log(axis->low) : 0) /
                                (log(axis->high) - log(axis->low))
                          : (v - axis->low) / (axis->high - axis->low);
    return !(at > 0) ? 0 : at > 1 ? 1 : at;
}

// Returns the smallest of 1, 2, 5 times a power of ten that is not below v.
static double report_round_up(double v) {
    double power = pow(10, floor(log10(v)));
    return v <= power * 1.0001 ? power : v <= 2 * power ? 2 * power : v <= 5 * power ? 5 * power
                                                                                     : 10 * power;
}

// Makes a linear axis with about five ticks, from zero where that takes little room.
static report_axis report_linear(double low, double high) {
    report_axis axis;
    if (low > 0 && low < 0.5 * high) low = 0;
    if (!(high - low > 1e-9 * (fabs(low) + fabs(high)) + 1e-300)) {  // all values are equal
        double spread = fabs(high) > 1e-9 ? fabs(high) : 1;
        high += spread;
        low -= low > 0 ? low : spread;
    }
    axis.log = 0;
    axis.step = report_round_up((high - low) / 6);
    axis.low = floor(low / axis.step + 1e-9) * axis.step;
    axis.high = ceil(high / axis.step - 1e-9) * axis.step;
    return axis;
}

// Lists the ticks of an axis, at most 16. Returns how many.
static size_t report_ticks(const report_axis *axis, double tick[16]) {
    size_t n = 0;
    if (!axis->log) {
        for (; n < 16 && axis->low + (double)n * axis->step < axis->high + axis->step / 2; ++n)
            tick[n] = axis->low + (double)n * axis->step;
        return n;
    }
    double decades = log10(axis->high) - log10(axis->low);
    int many = decades < 2.5, skip = (int)ceil(decades / 7);
    for (int k = (int)floor(log10(axis->low)); k <= 308 && pow(10, k) <= axis->high * 1.0001; ++k)
        for (int m = 1; m <= 5 && n < 16; m = m == 1 ? 2 : m + 3) {
            double v = m * pow(10, k);
            if ((m == 1 ? k % skip == 0 : many) && v >= axis->low * 0.9999 &&
                v <= axis->high * 1.0001)
                tick[n++] = v;
        }
    return n;
}

// Writes a tick's label; all of a linear axis have the same decimals.
static const char *report_tick(char text[48], const report_axis *axis, double v) {
    double power = axis->log ? v : axis->step;
    int decimals = power < 1 ? (int)ceil(-log10(power) - 1e-9) : 0;
    return report_number(text, v, decimals > 6 ? 7 : decimals);
}

// ---- what the pictures are made of

enum {
    REPORT_ALL = 1900,     // up to so many sequences each has its own mark
    REPORT_SLOTS = 475,    // beyond, of every slot of time the highest of each of four classes
    REPORT_COLUMNS = 120,  // of the shading that stands for all others
    REPORT_ROWS = 40,
    REPORT_BINS = 60       // of the histogram
};

// A score with its class: 0 normal and below the threshold, 1 normal and above (a false alarm), 2
// anomalous and below (missed), 3 anomalous and above (found). Without labels all are normal.
typedef struct report_point {
    double score, time;
    int kind;
} report_point;

// Everything that is computed once for a page.
typedef struct report_view {
    const report *r;
    FILE *file;
    report_point *point;   // (points) those with a finite time and score, by score, falling
    size_t points;
    size_t kinds[4];       // sequences of each class
    size_t clamped;        // scores below the axis
    report_axis score, time;
    double origin;         // times are shown from here on
    int hours;             // times are shown as h:mm:ss
    size_t unknown;        // sequences of which nobody knows what they are: left out
    int threshold;         // there is one
    int range;             // and it has a confidence range
} report_view;

// Compares for qsort: the highest score first.
static int report_compare(const void *a, const void *b) {
    const report_point *x = (const report_point *)a, *y = (const report_point *)b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->time > y->time) - (x->time < y->time);
}

// Makes an axis that shows most scores apart: logarithmic if a few are far above the others.
static void report_score_axis(report_view *v) {
    const report_point *p = v->point;
    size_t n = v->points;
    double high = n ? p[0].score : 1, low = n ? p[n - 1].score : 0;
    double middle = n ? p[n / 2].score : 0.5, floor_at = n ? p[n - 1 - n / 20].score : 0;
    double above = v->range ? v->r->threshold_high : v->r->threshold;
    double below = v->range ? v->r->threshold_low : v->r->threshold;
    if (v->threshold && above > high) high = above;
    if (v->threshold && below < low) low = below;
    if (!(floor_at > 1e-290) || !(high / middle > 15)) {
        v->score = report_linear(low, high);
        return;
    }
    if (low < floor_at / 5) low = floor_at / 5;
    v->score.log = 1;
    v->score.step = 0;
    v->score.low = low / 1.1;
    v->score.high = high < 1e307 ? high * 1.1 : high;
    while (n > 0 && p[n - 1].score < v->score.low) --n;
    v->clamped = v->points - n;
}

// Makes an axis of time with ticks at whole seconds, minutes, hours or days.
static void report_time_axis(report_view *v) {
    static const double step[] = {60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200};
    double low = 0, high = 0, span;
    size_t k = 0;
    for (size_t i = 0; i < v->points; ++i) {
        if (i == 0 || v->point[i].time < low) low = v->point[i].time;
        if (i == 0 || v->point[i].time > high) high = v->point[i].time;
    }
    v->origin = fabs(low) > 1e6 ? low : 0;  // seconds since 1970, for example
    low -= v->origin;
    high -= v->origin;
    span = high - low;
    v->time = report_linear(low, high);
    v->hours = span >= 600;
    if (v->hours) {
        while (k < 11 && step[k] < span / 5) ++k;
        v->time.step = k < 11 ? step[k] : 86400 * report_round_up(ceil(span / 5 / 86400));
        v->time.low = floor(low / v->time.step) * v->time.step;
    }
    if (low - v->time.low > span / 4) v->time.low = low;
    v->time.high = high;
    if (!(span > 0)) {
        v->time.step = 1;
        v->time.low = low - 0.5;
        v->time.high = low + 0.5;
    }
}

// Sorts and classifies the sequences, and chooses the axes. 0 = out of memory.
static int report_view_init(report_view *v, const report *r, FILE *file) {
    memset(v, 0, sizeof *v);
    v->r = r;
    v->file = file;
    v->threshold = fabs(r->threshold) < 1e300;
    v->range = v->threshold && r->threshold_high > r->threshold_low &&  // and bounded
               fabs(r->threshold_low) < 1e300 && fabs(r->threshold_high) < 1e300;
    if (r->count >= (size_t)-1 / sizeof *v->point) return 0;
    v->point = (report_point *)malloc((r->count + 1) * sizeof *v->point);
    if (!v->point) return 0;
    for (size_t i = 0; i < r->count; ++i) {
        report_point p;
        if (r->anomalous && r->anomalous[i] > 1) {
            ++v->unknown;
            continue;
        }
        p.score = r->score[i];
        p.time = r->time[i];
        p.kind = (r->anomalous && r->anomalous[i] ? 2 : 0) +
                 (v->threshold && p.score > r->threshold);
        ++v->kinds[p.kind];
        if (fabs(p.score) < 1e300 && fabs(p.time) < 1e300) v->point[v->points++] = p;
    }
    qsort(v->point, v->points, sizeof *v->point, report_compare);
    report_score_axis(v);
    report_time_axis(v);
    return 1;
}

// ---- parts of pictures

// Returns the name of a class in legends.
static const char *report_kind_name(const report_view *v, int kind) {
    static const char *const labelled[] = {"normal, below the threshold",
                                           "normal, above it: false alarm",
                                           "anomalous, below it: missed",
                                           "anomalous, above it: found"};
    if (v->r->anomalous && v->threshold) return labelled[kind];
    if (v->r->anomalous) return kind < 2 ? "normal" : "anomalous";
    return !v->threshold ? v->r->unit : kind ? "above the threshold" : "below the threshold";
}

// Writes the mark of a class; shapes differ, so that no colour is needed.
static const char *report_kind_mark(const report_view *v, int kind) {
    static const char *const mark[] = {"m0", "m1", "m2", "m3"};
    return !v->r->anomalous && kind ? "m3" : mark[kind];
}

// Writes the legend: marks with their meaning and number.
static void report_put_legend(const report_view *v) {
    static const int order[] = {3, 2, 1, 0};
    fputs("<ul class=\"key\">", v->file);
    for (int i = 0; i < 4; ++i) {
        int kind = order[i];
        if ((!v->r->anomalous && kind > 1) || (!v->threshold && kind % 2)) continue;
        report_put(v->file, "<li><svg width=\"14\" height=\"14\" aria-hidden=\"true\">"
                            "<use href=\"#%s\" x=\"7\" y=\"7\"/></svg>%s <b>%u</b></li>",
                   report_kind_mark(v, kind), report_kind_name(v, kind), v->kinds[kind]);
    }
    fputs("</ul>\n", v->file);
}

// Begins a picture: its heading, and its description for readers who cannot see it.
static void report_begin_plot(FILE *file, const char *id, int height, const char *title,
                              const char *about) {
    char pixels[48];
    report_number(pixels, height, 0);
    report_put(file, "<div class=\"plot\"><svg width=\"100%\" height=\"%s\" role=\"img\" "
                     "aria-labelledby=\"%s-t %s-d\">\n<title id=\"%s-t\">%s</title>\n"
                     "<desc id=\"%s-d\">%s</desc>\n", pixels, id, id, id, title, id, about);
}

static void report_end_plot(FILE *file) {
    fputs("</svg></div>\n", file);
}

// Draws a horizontal grid line with its label at the left; at: 0 = bottom, 1 = top.
static void report_put_y_tick(FILE *file, double at, const char *label) {
    report_put(file, "<line class=\"%s\" x2=\"100%\" y1=\"%w%\" y2=\"%w%\"/><text class=\"y\" "
                     "x=\"-8\" y=\"%w%\" dy=\"4\">%s</text>\n", at > 0 ? "grid" : "axis",
               100 - 100 * at, 100 - 100 * at, 100 - 100 * at, label);
}

// Draws a tick of the axis below the picture.
static void report_put_x_tick(FILE *file, double at, const char *label) {
    report_put(file, "<svg x=\"%w%\" y=\"100%\" overflow=\"visible\" width=\"1\" height=\"1\">"
                     "<line class=\"axis\" y2=\"5\"/><text class=\"x\" y=\"19\">%s</text></svg>\n",
               100 * at, label);
}

// Writes what an axis shows.
static void report_put_names(FILE *file, const char *x, const char *y) {
    report_put(file, "<text class=\"x\" x=\"50%\" y=\"100%\" dy=\"38\">%s</text>"
                     "<text class=\"name\" x=\"-8\" y=\"-12\">%s</text>\n", x, y);
}

// Draws the ticks of a score's axis, at the left or below.
static void report_put_score_axis(const report_view *v, int below) {
    double tick[16];
    char text[48];
    size_t n = report_ticks(&v->score, tick);
    if (below || v->score.log) fputs("<line class=\"axis\" x2=\"100%\" y1=\"100%\" y2=\"100%\"/>",
                                     v->file);
    for (size_t i = 0; i < n; ++i) {
        double at = report_at(&v->score, tick[i]);
        report_tick(text, &v->score, tick[i]);
        if (below) report_put_x_tick(v->file, at, text);
        else report_put_y_tick(v->file, at, text);
    }
}

// Draws the threshold as a line, with its confidence range as a band around it.
static void report_put_threshold(const report_view *v, int upright) {
    double at = 100 * report_at(&v->score, v->r->threshold);
    double low = 100 * report_at(&v->score, v->r->threshold_low);
    double high = 100 * report_at(&v->score, v->r->threshold_high);
    if (!v->threshold) return;
    if (v->range && upright)
        report_put(v->file, "<rect class=\"band\" x=\"%w%\" width=\"%w%\" height=\"100%\"/>", low,
                   high - low);
    else if (v->range)
        report_put(v->file, "<rect class=\"band\" y=\"%w%\" height=\"%w%\" width=\"100%\"/>",
                   100 - high, high - low);
    if (upright)
        report_put(v->file, "<line class=\"limit\" x1=\"%w%\" x2=\"%w%\" y1=\"-4\" y2=\"100%\"/>\n",
                   at, at);
    else
        report_put(v->file, "<line class=\"limit\" x2=\"100%\" y1=\"%w%\" y2=\"%w%\"/>\n", 100 - at,
                   100 - at);
}

// Writes the threshold's value at its line; after the marks, so that none covers it.
static void report_put_threshold_label(const report_view *v, int upright) {
    double at = 100 * report_at(&v->score, v->r->threshold);
    double high = 100 * report_at(&v->score, v->r->threshold_high);
    if (!v->threshold) return;
    if (upright)
        report_put(v->file, "<text class=\"halo\" text-anchor=\"%s\" x=\"%w%\" y=\"-10\">threshold "
                            "%v</text>\n", at > 50 ? "end" : "start", at, v->r->threshold);
    else
        report_put(v->file, "<text class=\"halo\" text-anchor=\"end\" x=\"100%\" y=\"%w%\" "
                            "dy=\"%s\">threshold %v</text>\n", 100 - (v->range ? high : at),
                   at > 92 ? "16" : "-5", v->r->threshold);
}

// Writes the meaning of the threshold's band, for the caption.
static void report_put_range(const report_view *v) {
    if (v->range)
        report_put(v->file, " The band around the threshold is its 95&nbsp;% confidence range, "
                            "%v to %v.", v->r->threshold_low, v->r->threshold_high);
}

// ---- score over time

// Shades cells of time and score by how many sequences are in them; 0 = out of memory.
static int report_put_density(const report_view *v, size_t *most) {
    size_t *cell = (size_t *)calloc(REPORT_COLUMNS * REPORT_ROWS, sizeof *cell);
    int level, run;
    if (!cell) return 0;
    for (size_t i = 0; i < v->points; ++i) {
        double x = report_at(&v->time, v->point[i].time - v->origin) * (double)REPORT_COLUMNS *
                   0.99999;
        double y = (1 - report_at(&v->score, v->point[i].score)) * (double)REPORT_ROWS * 0.99999;
        size_t n = ++cell[(size_t)y * REPORT_COLUMNS + (size_t)x];
        if (n > *most) *most = n;
    }
    report_put(v->file, "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 120 40\" "
                        "preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\">");
    for (level = 0; level < 5; ++level) {
        char text[48];
        report_put(v->file, "<path class=\"d%s\" d=\"", report_number(text, level, 0));
        for (int k = 0; k < REPORT_COLUMNS * REPORT_ROWS; k += run) {
            for (run = 0; k + run < REPORT_COLUMNS * REPORT_ROWS; ++run) {
                size_t n = cell[k + run];
                double share = n > 1 ? log((double)n) / log((double)*most + 1) : 0;
                if (n == 0 || (int)(5 * share) != level) break;
                if (run > 0 && (k + run) % REPORT_COLUMNS == 0) break;
            }
            if (run > 0) fprintf(v->file, "M%d %dh%dv1h-%dz", k % REPORT_COLUMNS,
                                 k / REPORT_COLUMNS, run, run);
            else run = 1;
        }
        fputs("\"/>", v->file);
    }
    fputs("</svg>\n", v->file);
    free(cell);
    return 1;
}

// Draws one mark at its time and score.
static void report_put_mark(const report_view *v, const report_point *p) {
    report_put(v->file, "<use href=\"#%s\" x=\"%w%\" y=\"%w%\"/>\n", report_kind_mark(v, p->kind),
               100 * report_at(&v->time, p->time - v->origin),
               100 - 100 * report_at(&v->score, p->score));
}

// Draws the marks, the most interesting class last, so on top: all, or the highest of each slot.
static void report_put_marks(const report_view *v, int all) {
    static const int order[] = {0, 2, 1, 3};
    for (int k = 0; k < 4; ++k) {
        unsigned char taken[REPORT_SLOTS];
        memset(taken, 0, sizeof taken);
        fputs("<g>", v->file);
        for (size_t i = 0; i < v->points; ++i) {
            const report_point *p = &v->point[i];
            double x = report_at(&v->time, p->time - v->origin) * (double)REPORT_SLOTS * 0.99999;
            if (p->kind != order[k] || (!all && taken[(size_t)x])) continue;
            taken[(size_t)x] = 1;
            report_put_mark(v, p);
        }
        fputs("</g>\n", v->file);
    }
}

// Draws the ticks of time.
static void report_put_time_axis(const report_view *v) {
    const report_axis *axis = &v->time;
    int decimals = axis->step < 1 ? (int)ceil(-log10(axis->step) - 1e-9) : 0;
    char text[48];
    double first = ceil(axis->low / axis->step - 1e-9);
    for (int i = 0; i < 64; ++i) {
        double tick = (first + i) * axis->step;
        if (!(tick <= axis->high + 1e-6 * axis->step)) break;
        report_clock(text, tick, v->hours, decimals);
        report_put_x_tick(v->file, report_at(axis, tick), text);
    }
}

// Draws all scores over time. 0 = out of memory.
static int report_put_timeline(const report_view *v) {
    int all = v->points <= REPORT_ALL, good = 1;
    size_t most = 0;
    fputs("<section><h2>Score over time</h2>\n", v->file);
    report_put_legend(v);
    report_begin_plot(v->file, "time", 340, "Score of each sequence over time",
                      "The horizontal axis is the time of a sequence's first packet, the "
                      "vertical one its score. The list below has the highest scores.");
    report_put_score_axis(v, 0);
    if (!all) good = report_put_density(v, &most);
    report_put_threshold(v, 0);
    report_put_marks(v, all);
    report_put_threshold_label(v, 0);
    report_put_time_axis(v);
    report_put_names(v->file, v->hours ? "time, h:mm:ss" : "time, seconds",
                     v->score.log ? "score, logarithmic" : "score");
    report_end_plot(v->file);
    fputs("<p class=\"note\">", v->file);
    if (all)
        report_put(v->file, "Each mark is a %s.", v->r->unit);
    else
        report_put(v->file, "The shading counts %ss, up to %u in a cell; the marks are the "
                            "highest of each kind in each of %u slots of time.", v->r->unit, most,
                   (size_t)REPORT_SLOTS);
    report_put_range(v);
    if (v->origin != 0) report_put(v->file, " Times count from the first %s.", v->r->unit);
    if (v->clamped)
        report_put(v->file, " The %u lowest scores, below %v, are drawn at the bottom.",
                   v->clamped, v->score.low);
    if (v->unknown)
        report_put(v->file, " %u %ss of which nobody knows what they are, are left out.",
                   v->unknown, v->r->unit);
    if (v->points + v->unknown < v->r->count)
        report_put(v->file, " %u %ss without a finite score are not drawn.",
                   v->r->count - v->points - v->unknown, v->r->unit);
    fputs("</p></section>\n", v->file);
    return good;
}

// ---- histogram

// Draws the outline of one histogram, from the left to the right end of the axis.
static void report_put_steps(FILE *file, const size_t *bin, double most, const char *style) {
    report_put(file, "<path class=\"%s\" d=\"M0 100", style);
    for (size_t i = 0; i < REPORT_BINS; ++i) {
        report_put(file, "V%w", 100 - 100 * sqrt((double)bin[i] / most));
        report_put(file, "H%u", i + 1);
    }
    fputs("V100\"/>", file);
}

// Draws the ticks of a number of sequences whose square root is the height.
static void report_put_counts(FILE *file, double most) {
    char text[48];
    double last = 2, v = report_round_up(most);
    report_put_y_tick(file, 0, "0");
    for (; v >= 0.99; v = report_round_up(v / 2.51)) {
        double at = sqrt(v / most);
        if (at <= 1.001 && last - at > 0.12 && at > 0.1)
            report_put_y_tick(file, last = at, report_number(text, v, 0));
        if (v < 1.5) break;
    }
}

// Draws how many sequences have which score; the anomalous as an outline over the normal ones.
static void report_put_histogram(const report_view *v) {
    size_t bin[2][REPORT_BINS], most = 1;
    memset(bin, 0, sizeof bin);
    for (size_t i = 0; i < v->points; ++i) {
        double x = report_at(&v->score, v->point[i].score) * (double)REPORT_BINS * 0.99999;
        size_t n = ++bin[v->point[i].kind / 2][(size_t)x];
        if (n > most) most = n;
    }
    fputs("<section><h2>How scores are spread</h2>\n", v->file);
    if (v->r->anomalous)
        report_put(v->file, "<ul class=\"key\"><li><svg width=\"14\" height=\"14\" "
                            "aria-hidden=\"true\"><rect class=\"area\" y=\"2\" width=\"14\" "
                            "height=\"12\"/></svg>normal <b>%u</b></li><li><svg width=\"14\" "
                            "height=\"14\" aria-hidden=\"true\"><path class=\"outline\" "
                            "d=\"M0 10H5V3H14\"/></svg>anomalous <b>%u</b></li></ul>\n",
                   v->kinds[0] + v->kinds[1], v->kinds[2] + v->kinds[3]);
    report_begin_plot(v->file, "hist", 260, "Histogram of the scores",
                      "The horizontal axis is the score, the height the number of sequences with "
                      "about that score, on a square root scale.");
    report_put_counts(v->file, (double)most);
    fputs("<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 60 100\" "
          "preserveAspectRatio=\"none\">", v->file);
    report_put_steps(v->file, bin[0], (double)most, "area");
    fputs("</svg>\n", v->file);
    report_put_threshold(v, 1);
    report_put_threshold_label(v, 1);
    if (v->r->anomalous) {
        fputs("<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 60 100\" "
              "preserveAspectRatio=\"none\">", v->file);
        report_put_steps(v->file, bin[1], (double)most, "outline");
        fputs("</svg>\n", v->file);
    }
    report_put_score_axis(v, 1);
    report_put_names(v->file, v->score.log ? "score, logarithmic" : "score",
                     strcmp(v->r->unit, "connection") == 0 ? "connections" : "sequences");
    report_end_plot(v->file);
    fputs("<p class=\"note\">Heights are square roots, so that rare scores can be seen.",
          v->file);
    report_put_range(v);
    fputs("</p></section>\n", v->file);
}

// ---- ROC curve

// Writes one point of the curve in percent of the picture.
static void report_put_roc_point(FILE *file, const report_axis *axis, double fpr, double tpr) {
    report_put(file, "%w %w ", 100 * report_at(axis, fpr), 100 - 100 * tpr);
}

// Draws the curve: a point per distinct score, but none closer than 1/180 of the picture to the one
// before. Equal scores of both kinds are a straight line on a linear axis, so curved on this one.
static void report_put_roc_curve(const report_view *v, const report_axis *axis, double normal,
                                 double anomalous) {
    double count[2] = {0, 0}, last_x = 0, last_y = 0;
    fputs("<path class=\"curve\" d=\"M0 100L", v->file);
    for (size_t i = 0; i < v->points;) {
        double x0 = count[0] / normal, y0 = count[1] / anomalous, x, y, score = v->point[i].score;
        for (; i < v->points && v->point[i].score == score; ++i) ++count[v->point[i].kind / 2];
        x = count[0] / normal;
        y = count[1] / anomalous;
        if (x > x0 && y - y0 > 0.02)  // a large tie
            for (int k = 1; k < 10; ++k) {
                double part = pow(k / 10.0, 3);
                report_put_roc_point(v->file, axis, x0 + part * (x - x0), y0 + part * (y - y0));
            }
        if (report_at(axis, x) - last_x < 1 / 180.0 && y - last_y < 1 / 180.0 && i < v->points)
            continue;
        report_put_roc_point(v->file, axis, x, y);
        last_x = report_at(axis, x);
        last_y = y;
    }
    fputs("\"/>", v->file);
}

// Draws the line of a detector that guesses, curved by the logarithmic axis.
static void report_put_chance(FILE *file, const report_axis *axis) {
    fputs("<path class=\"chance\" d=\"M", file);
    for (int k = 0; k <= 48; ++k) {
        double x = axis->low * pow(axis->high / axis->low, k / 48.0);
        report_put_roc_point(file, axis, x, x);
    }
    fputs("\"/>", file);
}

// Draws the axes of the curve: shares of normal and of anomalous sequences.
static void report_put_roc_axes(FILE *file, const report_axis *axis) {
    double tick[16];
    char text[48];
    size_t n = report_ticks(axis, tick);
    for (int k = 0; k <= 5; ++k)
        report_put_y_tick(file, k / 5.0, strcat(report_number(text, 20 * k, 0), "&nbsp;%"));
    for (size_t i = 0; i < n; ++i) {
        double v = 100 * tick[i];
        report_number(text, v, v > 0.999 ? 0 : (int)ceil(-log10(v) - 1e-9));
        report_put_x_tick(file, report_at(axis, tick[i]), strcat(text, "&nbsp;%"));
    }
    report_put_names(file, "false alarms, share of the normal, logarithmic",
                     "found, share of the anomalous");
}

// Writes the figures beside the curve.
static void report_put_figures(const report_view *v, const pktseq_evaluation *e) {
    char auc[48], precision[48], chance[48];
    report_number(auc, e->auc, 3);
    report_number(precision, e->average_precision, 3);
    report_number(chance, (double)e->anomalous / (double)(e->normal + e->anomalous), 3);
    report_put(v->file, "<table class=\"figures\"><caption class=\"hide\">Figures of the ranking"
                        "</caption>\n"
                        "<tr><th scope=\"row\">area under curve</th><td>%s</td><td>chance "
                        "0.500</td></tr>\n<tr><th scope=\"row\">average precision</th><td>%s</td>"
                        "<td>chance %s</td></tr>\n", auc, precision, chance);
    report_put(v->file, "<tr><th scope=\"row\">found at 1 % false alarms</th><td>%p</td><td></td>"
                        "</tr>\n<tr><th scope=\"row\">found at 0.1 %</th><td>%p</td><td></td>"
                        "</tr>\n", e->tpr_at_1_percent, e->tpr_at_0_1_percent);
    if (v->threshold)
        report_put(v->file, "<tr><th scope=\"row\">found at the threshold</th><td>%p</td><td>"
                            "false alarms %p</td></tr>\n",
                   (double)v->kinds[3] / (double)(v->kinds[2] + v->kinds[3]),
                   (double)v->kinds[1] / (double)(v->kinds[0] + v->kinds[1]));
    fputs("</table>\n", v->file);
}

// Draws true against false alarms for every threshold; low false-alarm rates have most of the room.
static void report_put_roc(const report_view *v) {
    double normal = (double)(v->kinds[0] + v->kinds[1]);
    double anomalous = (double)(v->kinds[2] + v->kinds[3]);
    report_axis axis;
    if (!v->r->evaluation || !(normal > 0) || !(anomalous > 0)) return;
    axis.log = 1;
    axis.step = 0;
    axis.high = 1;
    axis.low = normal > 5 ? 0.5 / normal : 0.1;
    if (axis.low < 0.00005) axis.low = 0.00005;
    fputs("<section><h2>Found against false alarms</h2>\n", v->file);
    fputs("<ul class=\"key\"><li><svg width=\"22\" height=\"14\" aria-hidden=\"true\"><path "
          "class=\"curve\" d=\"M0 8H22\"/></svg>by score</li><li><svg width=\"22\" height=\"14\" "
          "aria-hidden=\"true\"><path class=\"chance\" d=\"M0 8H22\"/></svg>by chance</li></ul>\n",
          v->file);
    report_begin_plot(v->file, "roc", 260, "ROC curve",
                      "For every threshold, the share of anomalous sequences above it against "
                      "the share of normal ones, on a logarithmic axis.");
    report_put_roc_axes(v->file, &axis);
    fputs("<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 100 100\" "
          "preserveAspectRatio=\"none\">", v->file);
    report_put_chance(v->file, &axis);
    report_put_roc_curve(v, &axis, normal, anomalous);
    fputs("</svg>\n", v->file);
    if (v->threshold) {
        double x = 100 * report_at(&axis, (double)v->kinds[1] / normal);
        double y = 100 - 100 * (double)v->kinds[3] / anomalous;
        report_put(v->file, "<circle class=\"point\" cx=\"%w%\" cy=\"%w%\" r=\"5\"/><text "
                            "class=\"halo\" text-anchor=\"%s\" x=\"%w%\" y=\"%w%\" dx=\"%s\" "
                            "dy=\"%s\">threshold</text>\n", x, y, x > 60 ? "end" : "start", x, y,
                   x > 60 ? "-9" : "9", y > 85 ? "-10" : "16");
    }
    report_end_plot(v->file);
    report_put_figures(v, v->r->evaluation);
    fputs("<p class=\"note\">The left edge stands for no false alarm.</p></section>\n", v->file);
}

// ---- the list

// Writes one packet: what was expected and seen, and its share of the score as number and bar.
static void report_put_step(FILE *file, const report_item *item, const report_step *step,
                            double most, int decimals) {
    char time[48], score[48], frame[24];  // the frame ungrouped, as Wireshark takes it
    double bar = step->score > 0 && most > 0 ? 100 * step->score / most : 0;
    report_number(time, step->time - item->time, 3);
    snprintf(frame, sizeof frame, "%lu", (unsigned long)step->frame);
    report_number(score, step->score, decimals);
    report_put(file, "<tr><td class=\"n\">%u</td><td class=\"n\">%s</td><td class=\"n sec\">%s"
                     "</td><td>%x</td><td><code>%x</code></td><td><code>%x</code></td><td "
                     "class=\"n\">%s</td><td class=\"bar\" aria-hidden=\"true\"><i "
                     "style=\"width:%w%\"></i></td></tr>\n", step->packet, frame, time, step->why,
               step->expected, step->seen, score, bar);
}

// Writes the table of a sequence's packets.
static void report_put_steps_of(FILE *file, const report_item *item, int frames) {
    double most = 0;
    int decimals;
    for (size_t i = 0; i < item->steps; ++i)
        if (item->step[i].score > most) most = item->step[i].score;
    decimals = report_decimals(most, 3);
    if (decimals > 4) decimals = most > 0 && most < 0.0001 ? 6 : 4;
    report_put(file, "<div class=\"wide\" tabindex=\"0\"><table class=\"steps\"><thead><tr><th "
                     "scope=\"col\" class=\"n\">Packet</th><th scope=\"col\" "
                     "class=\"n\">%s</th><th scope=\"col\" "
                     "class=\"n sec\">Seconds</th><th scope=\"col\">Field</th><th "
                     "scope=\"col\">Expected</th><th scope=\"col\">Seen</th><th scope=\"colgroup\" "
                     "colspan=\"2\">Added<span class=\"sec\"> to the "
                     "score</span></th></tr></thead><tbody>\n",
               frames ? "Frame" : "Row");
    for (size_t i = 0; i < item->steps; ++i)
        report_put_step(file, item, &item->step[i], most, decimals);
    fputs("</tbody></table></div>\n", file);
    if (item->steps < item->packets)
        report_put(file, "<p class=\"note\">%u of the sequence's %u packets are shown; the others "
                         "were not forecast, or added less.</p>\n", item->steps, item->packets);
}

// Writes one sequence: where it is in the file, and its packets.
static void report_put_sequence(const report_view *v, const report_item *item) {
    char time[48];
    report_put(v->file, "<p class=\"note\">Sequence %u, %u packets in %s %u to %u of the file, "
                        "from %x on for %s s. First packet <bdi>%x</bdi>, last packet "
                        "<bdi>%x</bdi>.</p>\n",
               item->sequence, item->packets, v->r->capture ? "frames" : "rows", item->row,
               item->last_row, item->when, report_number(time, item->last_time - item->time, 3),
               item->who, item->last_who);
    if (item->filter[0])
        report_put(v->file, "<p class=\"note\">In Wireshark: <code "
                            "class=\"filter\">%x</code></p>\n",
                   item->filter);
    if (item->steps) report_put_steps_of(v->file, item, v->r->frames);
}

// Writes the row below an entry's own: its reasons, and on demand its sequences and their packets.
static void report_put_details(const report_view *v, const report_entry *entry, int decimals) {
    FILE *file = v->file;
    char score[48];
    report_put(file, "<tr class=\"more\"><td></td><td colspan=\"%s\"><details><summary>%x"
                     "</summary>\n", v->r->anomalous ? "6" : "5",
               entry->reason[0] ? entry->reason[0] : "packet by packet");
    if (entry->reason[1]) {
        fputs("<ul>", file);
        for (int i = 1; i < 3; ++i)
            if (entry->reason[i]) report_put(file, "<li>%x</li>", entry->reason[i]);
        fputs("</ul>\n", file);
    }
    if (entry->sequences == 1) report_put_sequence(v, &entry->item[0]);
    for (size_t i = 0; entry->sequences > 1 && i < entry->items; ++i) {
        const report_item *item = &entry->item[i];
        report_put(file, "<details><summary>%s at %x, %u packet%s, <bdi>%x</bdi>",
                   report_number(score, item->score, decimals), item->when, item->packets,
                   item->packets == 1 ? "" : "s", item->who);
        if (item->label) report_put(file, ", label <bdi>%x</bdi>", item->label);
        fputs("</summary>\n", file);
        report_put_sequence(v, item);
        fputs("</details>\n", file);
    }
    if (entry->items < entry->sequences)
        report_put(file, "<p class=\"note\">%u of its %u sequences are shown; "
                         "<code>--scores</code> writes all.</p>\n", entry->items, entry->sequences);
    fputs("</details></td></tr>\n", file);
}

// Writes one entry of the list.
static void report_put_entry(const report_view *v, size_t rank, int decimals) {
    const report_entry *entry = &v->r->top[rank];
    char score[48], time[48];
    report_number(score, entry->score, decimals);
    report_clock(time, entry->time - v->origin, v->hours, 3);
    report_put(v->file, "<tbody><tr><td class=\"n\">%u</td><td class=\"n\"><b>%s</b></td><td "
                        "class=\"n\">%s</td><td class=\"who\"><bdi>%x</bdi>", rank + 1, score,
               time, entry->who);
    if (v->r->anomalous)  // on a narrow page it stands here instead of in its own column
        report_put(v->file, "<bdi class=\"also\">%x</bdi>", entry->label);
    report_put(v->file, "</td><td class=\"n rare\">%u</td>",
               v->r->incidents ? entry->sequences : entry->item[0].packets);
    if (v->r->anomalous)
        report_put(v->file, "<td class=\"label rare\"><bdi>%x</bdi></td>", entry->label);
    if (v->r->incidents)
        report_put(v->file, "<td class=\"n rare\">%s</td></tr>\n",
                   report_number(time, entry->last_time - entry->time, 1));
    else
        report_put(v->file, "<td class=\"n rare\">%u</td></tr>\n", entry->item[0].row);
    report_put_details(v, entry, decimals);
    fputs("</tbody>\n", v->file);
}

// Returns the decimals that fit all scores of the list.
static int report_list_decimals(const report *r) {
    double least = 0;
    int decimals;
    for (size_t i = 0; i < r->top_count; ++i) {
        double score = fabs(r->top[i].score);
        if (score > 0 && (!(least > 0) || score < least)) least = score;
    }
    decimals = report_decimals(least, 3);
    return decimals == 7 ? 6 : decimals;
}

// Writes the table of incidents or, if nothing is above the threshold, of the highest scores.
static void report_put_list(const report_view *v) {
    const report *r = v->r;
    const char *what = r->incidents ? "incident" : "score", *s = r->top_count == 1 ? "" : "s";
    int decimals = report_list_decimals(r);
    if (!r->top_count) return;
    fputs("<section><h2>The ", v->file);
    if (r->top_count > 1) report_put(v->file, "%u ", r->top_count);
    report_put(v->file, "%s%s%s", r->top_count == r->incidents ? "" : "highest ", what, s);
    if (r->top_count < r->incidents) report_put(v->file, " of %u", r->incidents);
    fputs("</h2>\n", v->file);
    if (r->incidents)
        fputs("<p class=\"note\">An incident: alarms between the same two addresses, or from one "
              "source to many, each within a minute of another.</p>\n", v->file);
    else if (v->threshold)
        report_put(v->file, "<p class=\"note\">None is above the threshold %v: these are no "
                            "alarms.</p>\n", r->threshold);
    report_put(v->file, "<table class=\"list\"><thead><tr><th scope=\"col\" class=\"n\">#</th><th "
                        "scope=\"col\" class=\"n\">Score</th><th scope=\"col\" class=\"n\">%s</th>"
                        "<th scope=\"col\">%s</th><th scope=\"col\" class=\"n rare\">%s</th>",
               v->hours ? "Time" : "Time, s", r->incidents ? "Who" : "First packet",
               r->incidents ? "Sequences" : "Packets");
    if (r->anomalous) fputs("<th scope=\"col\" class=\"label rare\">Label</th>", v->file);
    report_put(v->file, "<th scope=\"col\" class=\"n rare\">%s</th></tr></thead>\n",
               r->incidents ? "Seconds" : r->capture ? "Frame" : "Row");
    for (size_t i = 0; i < r->top_count; ++i) report_put_entry(v, i, decimals);
    fputs("</table></section>\n", v->file);
}

// ---- the page

// How the page looks. Strings of C99 are limited to 4095 bytes: so two.
static const char report_style[] =
    ":root{color-scheme:light dark;--paper:#fdfdfb;--ink:#1d2024;--soft:#5b6169;--line:#e2e2dc;"
    "--rule:#a5a9ad;--normal:#5d758d;--odd:#b5400d;--band:#1d202414}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e4e5e7;"
    "--soft:#a2a8b0;--line:#2a2d32;--rule:#666b72;--normal:#8aa4bd;--odd:#ff9a5a;"
    "--band:#ffffff1c}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1240px;padding:28px clamp(14px,3vw,44px) 60px;"
    "background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;"
    "font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\n"
    "h1{font-size:25px;line-height:1.25;font-weight:600;margin:0}\n"
    "h2{font-size:16px;font-weight:600;margin:44px 0 6px}\n"
    "p{margin:4px 0;max-width:78ch}\n"
    ".by{color:var(--soft)}\n"
    ".lead{font-size:19px;line-height:1.45;margin:18px 0 20px}\n"
    ".note{font-size:13px;color:var(--soft)}\n"
    ".warn{border-left:3px solid var(--odd);margin:0 0 20px;padding:2px 0 2px 14px;"
    "list-style:none;max-width:78ch}\n"
    ".words{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0;"
    "font-size:13.5px}.words dd{margin:0;max-width:78ch}\n"
    "code,.sum td,.sum th{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12.5px}\n"
    "table{border-collapse:collapse}\n"
    "th{font-weight:400;color:var(--soft);text-align:left}\n"
    "td,th{padding:3px 14px 3px 0;vertical-align:top}\n"
    ".n{text-align:right;white-space:nowrap}\n"
    ".hide{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\n"
    ".sum{border-top:1px solid var(--line);border-bottom:1px solid var(--line);width:100%}\n"
    ".sum td{white-space:pre-wrap;width:100%;padding-right:0}.sum td,.sum th{padding-top:1px;"
    "padding-bottom:1px}\n"
    ".sum th{white-space:nowrap;min-width:13ch;padding-right:0}.sum .in{padding-left:13ch}\n"
    ".sum tr:first-child>*{padding-top:8px}.sum tr:last-child>*{padding-bottom:8px}\n";

static const char report_style_plots[] =
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"
    "column-gap:56px}\n"
    ".plot{margin:34px 18px 48px 52px}\n"
    ".plot>svg{display:block;overflow:visible}\n"
    "svg text{font-size:12px;fill:var(--soft)}\n"
    "svg .x{text-anchor:middle}svg .y{text-anchor:end}\n"
    "svg .halo{fill:var(--ink);stroke:var(--paper);stroke-width:4px;stroke-linejoin:round;"
    "paint-order:stroke}\n"
    ".plot .name{transform:translateX(-40px)}\n"
    ".grid{stroke:var(--line)}.axis{stroke:var(--rule)}\n"
    ".limit{stroke:var(--ink)}.band{fill:var(--band)}\n"
    "path{vector-effect:non-scaling-stroke}\n"
    ".area,.d0,.d1,.d2,.d3,.d4{fill:var(--normal)}.area{fill-opacity:.45}\n"
    ".d0{fill-opacity:.13}.d1{fill-opacity:.22}.d2{fill-opacity:.34}.d3{fill-opacity:.5}"
    ".d4{fill-opacity:.7}\n"
    ".outline{fill:none;stroke:var(--odd);stroke-width:1.8}\n"
    ".curve{fill:none;stroke:var(--ink);stroke-width:1.8;stroke-linejoin:round}\n"
    ".chance{fill:none;stroke:var(--rule);stroke-dasharray:4 4}\n"
    ".point{fill:var(--paper);stroke:var(--ink);stroke-width:1.8}\n"
    "#m0{fill:var(--normal);fill-opacity:.6}\n"
    "#m1{fill:var(--paper);stroke:var(--normal);stroke-width:1.6}\n"
    "#m2{fill:var(--paper);stroke:var(--odd);stroke-width:1.3}\n"
    "#m3{fill:var(--odd);stroke:var(--paper);stroke-width:.8}\n"
    ".key{list-style:none;display:flex;flex-wrap:wrap;gap:2px 22px;margin:4px 0;padding:0;"
    "font-size:13px;color:var(--soft)}\n"
    ".key svg{margin-right:6px;vertical-align:-2px}.key b{font-weight:600;color:var(--ink)}\n"
    ".figures{font-size:14px;margin:4px 0}.figures td:nth-child(2){text-align:right;"
    "font-weight:600}.figures td:last-child{color:var(--soft)}\n"
    ".figures td,.figures th{padding-top:0;padding-bottom:0}.figures td{white-space:nowrap}\n"
    ".list{width:100%}.list thead th{border-bottom:1px solid var(--rule)}\n"
    ".list .who{width:60%;min-width:11em}.list .label{min-width:8em}.also{display:none}"
    ".list tr>:last-child{padding-right:0}\n"
    ".list>tbody>tr:first-child>td{padding-top:9px}\n"
    ".more>td{border-bottom:1px solid var(--line);padding-bottom:9px;padding-right:0;"
    "max-width:0}\n"
    "details{color:var(--soft);font-size:13.5px}summary{cursor:pointer}\n"
    "summary:hover,details[open]>summary{color:var(--ink)}\n"
    "details ul{margin:2px 0 6px;padding-left:17px}\n"
    "details details{margin:3px 0 3px 17px}\n"
    ".wide{overflow-x:auto;margin:8px 0}.steps{color:var(--ink);overflow-wrap:break-word}\n"
    ".filter{user-select:all;background:var(--band);padding:1px 4px}\n"
    ".steps thead th{border-bottom:1px solid var(--line)}\n"
    ".bar{width:110px;padding-right:0}.bar i{display:block;height:9px;margin-top:6px;"
    "background:var(--normal)}\n"
    "@media(max-width:640px){body{font-size:14px}.rare{display:none}"
    ".list{font-size:12.5px}td,th{padding-right:9px}.also{display:block;color:var(--soft)}"
    ".figures{font-size:13px}.steps .bar,.steps .sec{display:none}.steps{font-size:12px}"
    ".steps td,.steps th{overflow-wrap:break-word;padding-right:6px}"
    ".steps code{font-size:11px;overflow-wrap:anywhere}"
    ".list .who{width:auto}.lead{font-size:17px}.plot{margin-right:12px}"
    ".sum td,.sum th{font-size:11.5px}.sum .in{padding-left:0}}\n"
    "@media print{body{max-width:none;padding:0;font-size:11pt}section{break-inside:avoid}"
    ".list{break-inside:auto}section:has(.list){break-inside:auto}"
    "tbody{break-inside:avoid}.bar i{print-color-adjust:exact}}\n";

// Returns the name of a file without its folders.
static const char *report_base(const char *path) {
    const char *base = path ? path : "";
    for (const char *p = base; *p; ++p)
        if ((*p == '/' || *p == '\\') && p[1]) base = p + 1;
    return base;
}

// Writes the head of the page, the marks that its pictures use, and its subject.
static void report_put_head(FILE *file, const report *r) {
    report_put(file, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\">\n<meta name=\"generator\" content=\"pktseq "
                     "%s\">\n<title>%x - anomalous sequences</title>\n<style>\n%s%s</style>\n"
                     "</head>\n<body>\n", pktseq_version(), report_base(r->data), report_style,
               report_style_plots);
    report_put(file, "<svg width=\"0\" height=\"0\" style=\"position:absolute\" "
                     "aria-hidden=\"true\"><defs><circle id=\"m0\" r=\"%s\"/>"
                     "<circle id=\"m1\" r=\"3.4\"/><path id=\"m2\" d=\"M0-4 4 0 0 4-4 0z\"/>"
                     "<path id=\"m3\" d=\"M0-5 5 0 0 5-5 0z\"/></defs></svg>\n",
               r->count > 300 ? "1.7" : "2.6");
    report_put(file, "<main>\n<header><h1>%x</h1>\n<p class=\"by\">scored by %x</p>\n",
               report_base(r->data), r->model);
}

// Writes the result in one or two sentences.
static void report_put_lead(const report_view *v) {
    size_t above = v->kinds[1] + v->kinds[3], anomalous = v->kinds[2] + v->kinds[3];
    size_t normal = v->kinds[0] + v->kinds[1], all = normal + anomalous;
    const char *unit = v->r->unit, *s = all == 1 ? "" : "s";
    fputs("<p class=\"lead\">", v->file);
    if (!v->threshold)
        report_put(v->file, "%u %s%s, ranked, but not judged: there is no threshold.", all, unit,
                   s);
    else if (!above)
        report_put(v->file, "%s %u %s%s above the threshold of %v.",
                   all == 1 ? "The" : "None of", all, unit, all == 1 ? " is not" : "s is",
                   v->r->threshold);
    else
        report_put(v->file, "%u of %u %s%s (%p) %s above the threshold of %v, in %u incident%s.",
                   above, all, unit, s, (double)above / (double)all, above == 1 ? "is" : "are",
                   v->r->threshold, v->r->incidents, v->r->incidents == 1 ? "" : "s");
    if (v->threshold && v->r->anomalous && anomalous)
        report_put(v->file, " By the labels, %u of %u anomalous ones (%p) are found.",
                   v->kinds[3], anomalous, (double)v->kinds[3] / (double)anomalous);
    if (v->threshold && v->r->anomalous && normal)
        report_put(v->file, " %u of %u normal ones (%p) %s.", v->kinds[1], normal,
                   (double)v->kinds[1] / (double)normal,
                   v->kinds[1] == 1 ? "is a false alarm" : "are false alarms");
    fputs("</p>\n", v->file);
}

// Returns 1 if a line of the summary begins with a word and two spaces.
static int report_is_line(const char *line, const char *word) {
    size_t size = strlen(word);
    return line && strncmp(line, word, size) == 0 && strncmp(line + size, "  ", 2) == 0;
}

// Writes warnings, and a verdict of other traffic, before the results that depend on them.
static void report_put_warnings(FILE *file, const report *r) {
    size_t count = 0;
    for (size_t i = 0; i < r->summaries; ++i) {
        const char *text = r->summary[i];
        if (!report_is_line(text, "warning") && !strstr(text, "verdict     other")) continue;
        for (text += 7; *text == ' '; ++text) continue;
        report_put(file, "%s<li>%x</li>", count++ ? "" : "<ul class=\"warn\">", text);
    }
    if (count) fputs("</ul>\n", file);
}

// Writes one line of the summary: a word of up to 12 bytes, two spaces or more, and the rest; or
// only the rest, after up to 12 spaces.
static void report_put_line(FILE *file, const char *line) {
    char word[13];
    const char *gap = strstr(line, "  "), *rest = line;
    size_t size = gap && gap - line <= 12 ? (size_t)(gap - line) : 0;
    memcpy(word, line, size);
    word[size] = 0;
    rest += size;
    for (int i = 0; *rest == ' ' && i < 12; ++i) ++rest;
    if (size) report_put(file, "<tr><th scope=\"row\">%x</th><td>%x</td></tr>\n", word, rest);
    else report_put(file, "<tr><td colspan=\"2\" class=\"in\">%x</td></tr>\n", rest);
}

// Writes the summary as a table without lines.
static void report_put_summary(FILE *file, const report *r) {
    if (!r->summaries) return;
    fputs("<section><h2>As detect printed it</h2>\n<table class=\"sum\"><caption class=\"hide\">"
          "Summary</caption>\n", file);
    for (size_t i = 0; i < r->summaries; ++i)
        if (r->summary[i] && r->summary[i][0] && !report_is_line(r->summary[i], "warning"))
            report_put_line(file, r->summary[i]);
    fputs("</table></section>\n", file);
}

// The meanings of the columns that reasons name.
static const char *const report_word[][2] = {
    {"token", "what kind of packet, in one text: protocol, -> from the side that began or <- back, "
              "flags (for ICMP type/code), length, and after what packet of its connection in the "
              "last 30 seconds"},
    {"length", "bytes of the packet on the wire"},
    {"timestamp", "seconds since the packet before, or the capture's clock in older models"},
    {"direction", "1 from the side that began, 0 back"},
    {"same_connection", "1 if the packet before was of the same connection"},
    {"protocol", "the protocol as Wireshark names it"},
    {"src_port", "port of the sender, or its class"},
    {"dst_port", "port of the receiver, or its class"},
    {"pair_packets", "packets between the same two addresses in the last 10 seconds, this one "
                     "included"},
    {"pair_syn", "how many of pair_packets open a connection (SYN without ACK)"},
    {"pair_reset", "how many of pair_packets reset a connection"},
    {"pair_fin", "how many of pair_packets close a connection"},
    {"pair_push", "share of pair_packets with the flag push"},
    {"pair_length", "mean length of pair_packets in bytes"},
    {"pair_connections", "how many connections pair_packets belong to: different higher ports"},
    {"pair_services", "how many services pair_packets belong to: different lower ports"},
    {"pair_per_connection", "pair_packets divided by pair_connections"},
    {"source_hosts", "other hosts that the one which opened the connection was in contact with in "
                     "the last 10 seconds, in connections that it opened"},
    {"source_services", "different services, transport and port, of these connections"},
    {"source_connections", "how many these connections are"}};

// Returns 1 if a text begins with a word, or with one that pair_packets explains.
static int report_is_word(const char *text, const char *name) {
    size_t size = strlen(name);
    if (strcmp(name, "pair_packets") == 0) return strncmp(text, "pair_", 5) == 0;
    return strncmp(text, name, size) == 0 && (text[size] == ' ' || text[size] == 0);
}

// Returns 1 if the reasons or the packets of the list use a word, or one that it explains.
static int report_uses(const report *r, const char *name) {
    for (size_t i = 0; i < r->top_count; ++i) {
        const report_entry *entry = &r->top[i];
        for (int k = 0; k < 3; ++k)
            if (entry->reason[k] && report_is_word(entry->reason[k], name)) return 1;
        for (size_t k = 0; k < entry->items; ++k)
            for (size_t t = 0; t < entry->item[k].steps; ++t)
                if (report_is_word(entry->item[k].step[t].why, name)) return 1;
    }
    return 0;
}

// Writes the meanings of those that are used.
static void report_put_words(FILE *file, const report *r) {
    int any = 0;
    for (size_t w = 0; w < sizeof report_word / sizeof *report_word; ++w) {
        if (!report_uses(r, report_word[w][0])) continue;
        if (!any++)
            fputs("<section><h2>What the words mean</h2>\n<dl class=\"words\">\n", file);
        report_put(file, "<dt><code>%x</code></dt><dd>%x</dd>\n", report_word[w][0],
                   report_word[w][1]);
    }
    if (any) fputs("</dl></section>\n", file);
}

// Writes the whole page. 0 = out of memory; a failed write is found with ferror.
static int report_put_page(const report *r, FILE *file) {
    report_view v;
    int good = report_view_init(&v, r, file);
    if (!good) return 0;
    report_put_head(file, r);
    report_put_lead(&v);
    report_put_warnings(file, r);
    fputs("</header>\n", file);
    if (v.points) {
        good = report_put_timeline(&v);
        fputs("<div class=\"pair\">\n", file);
        report_put_histogram(&v);
        report_put_roc(&v);
        fputs("</div>\n", file);
    }
    report_put_list(&v);
    report_put_words(file, r);
    report_put_summary(file, r);
    fputs("</main>\n</body>\n</html>\n", file);
    free(v.point);
    return good;
}

// Writes the page to path, whole or not at all. Returns 0; or 1, one sentence in message, and what
// was at path before is unchanged.
static int report_write(const char *path, const report *r, char *message, size_t message_size) {
    output o;
    int opened = output_open(&o, path);
    int whole = opened && report_put_page(r, o.file);
    int good = opened && output_close(&o, whole);
    if (message_size) message[0] = 0;
    if (opened && !whole) snprintf(message, message_size, "out of memory");
    else if (!good) snprintf(message, message_size, "cannot write %s: %s", path, o.reason);
    return !good;
}

#endif  // REPORT_H
