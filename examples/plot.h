// plot.h - draws a loss curve as SVG. Include it after pktseq.h.
//
//     output o;
//     good = output_open(&o, "loss.svg");
//     if (good) good = output_close(&o, plot_loss(o.file, loss, NULL, count, every, "A run"));
//
// Each of up to 240 columns shows the mean of its loss points, and their range as a band. A second
// curve may show the loss of sequences that were not trained on.
#ifndef PLOT_H
#define PLOT_H

#include <math.h>
#include <stdio.h>
#include <string.h>

// Coordinates are in SVG units, of a picture of 960 x 480.
#define PLOT_LEFT 84.0
#define PLOT_RIGHT 936.0
#define PLOT_TOP 76.0
#define PLOT_BOTTOM 416.0

enum { PLOT_BINS = 240 };

// Loss points that are drawn as one.
typedef struct plot_bin {
    double x, low, mean, high;  // x in iterations
    size_t count;
} plot_bin;

// An axis from low to high with ticks at whole multiples of step = mantissa * 10^exponent.
typedef struct plot_axis {
    double low, high, step;
    int mantissa, exponent;
} plot_axis;

// Returns an axis with about five ticks of 1, 2 or 5 times a power of ten.
static inline plot_axis plot_axis_for(double low, double high) {
    static const int mantissa[] = {1, 2, 5, 10};
    plot_axis axis;
    double rough = (high - low) / 5, power;
    int i = 0;
    axis.exponent = (int)floor(log10(rough));
    power = pow(10.0, (double)axis.exponent);
    while (i < 3 && mantissa[i] * power < rough) ++i;
    axis.mantissa = mantissa[i];
    axis.step = mantissa[i] * power;
    axis.low = floor(low / axis.step) * axis.step;
    axis.high = ceil(high / axis.step) * axis.step;
    return axis;
}

// Writes a tick's label: with commas between thousands, or as a whole number and a power of ten.
static inline void plot_tick(FILE *file, const plot_axis *axis, double at) {
    double whole = floor(at / axis->step + 0.5) * axis->mantissa;
    char text[48];
    int digits;
    if (axis->exponent < -8 || axis->exponent > 8 || fabs(whole) > 1e9) {
        fprintf(file, "%.0f", whole);
        if (fabs(whole) > 0) fprintf(file, "e%d", axis->exponent);
        return;
    }
    digits = snprintf(text, sizeof text, "%.*f", axis->exponent < 0 ? -axis->exponent : 0,
                      whole * pow(10.0, (double)axis->exponent) + 0.0);
    for (int i = 0; i < digits; ++i) {
        if (axis->exponent >= 0 && i > (text[0] == '-') && (digits - i) % 3 == 0) fputc(',', file);
        fputc(text[i], file);
    }
}

// Maps iterations to SVG units. What is far off is moved to within reach of the picture.
static inline double plot_x(const plot_axis *axis, double v) {
    double x = PLOT_LEFT + (v - axis->low) / (axis->high - axis->low) * (PLOT_RIGHT - PLOT_LEFT);
    return x < -2000 ? -2000 : x > 4000 ? 4000 : x;
}

// Maps a loss to SVG units; y grows downwards there.
static inline double plot_y(const plot_axis *axis, double v) {
    double y = PLOT_BOTTOM - (v - axis->low) / (axis->high - axis->low) * (PLOT_BOTTOM - PLOT_TOP);
    return y < -2000 ? -2000 : y > 4000 ? 4000 : y;
}

// Writes text with what XML forbids as entities, control characters as spaces.
static inline void plot_text(FILE *file, const char *text) {
    for (; *text; ++text) {
        if (*text == '<') fputs("&lt;", file);
        else if (*text == '>') fputs("&gt;", file);
        else if (*text == '&') fputs("&amp;", file);
        else if (*text == '"') fputs("&quot;", file);
        else fputc((unsigned char)*text < 32 ? ' ' : *text, file);
    }
}

// Gathers finite points into at most PLOT_BINS bins; returns how many have any.
static inline size_t plot_bins(const double *point, size_t count, size_t every, plot_bin *bin) {
    size_t per = count / PLOT_BINS + (count % PLOT_BINS != 0), bins = 0;
    for (size_t from = 0; from < count; from += per) {
        plot_bin b;
        double sum = 0;
        memset(&b, 0, sizeof b);
        for (size_t i = from; i < count && i < from + per; ++i) {
            double v = point[i];
            if (!(fabs(v) <= 1e300)) continue;
            b.low = b.count == 0 || v < b.low ? v : b.low;
            b.high = b.count == 0 || v > b.high ? v : b.high;
            sum += v / (double)per;  // a sum of them all could be infinite
            ++b.count;
            b.x += ((double)i + 1) * (double)every;
        }
        if (b.count == 0) continue;
        b.x /= (double)b.count;
        b.mean = sum * ((double)per / (double)b.count);
        bin[bins++] = b;
    }
    return bins;
}

// Returns the axis of the loss: from zero, unless that would flatten the curve.
static inline plot_axis plot_loss_axis(const plot_bin *bin, size_t bins, const plot_bin *held,
                                       size_t held_bins) {
    double low = 0, high = 0;
    for (size_t i = 0; i < bins + held_bins; ++i) {
        double mean = i < bins ? bin[i].mean : held[i - bins].mean;
        if (i == 0 || mean < low) low = mean;
        if (i == 0 || mean > high) high = mean;
    }
    if (low > 0 && low < 0.7 * high) low = 0;
    if (fabs(low) < 1e-300 && fabs(high) < 1e-300) high = 1;  // as good as zero
    if (!(high - low > 1e-12 * fabs(high))) {
        low = high > 0 ? 0 : low - 1;
        high = high > 0 ? 2 * high : high + 1;
    }
    return plot_axis_for(low, high);
}

// Draws grid lines with the ticks of the loss, ticks of the iterations, and what both axes are.
static inline void plot_axes(FILE *file, const plot_axis *xs, const plot_axis *ys) {
    for (double v = ys->low; v < ys->high + ys->step / 2; v += ys->step) {
        fprintf(file, "<path class=\"grid\" d=\"M84 %.1fH936\"/><text class=\"tick\" "
                      "text-anchor=\"end\" x=\"74\" y=\"%.1f\">", plot_y(ys, v), plot_y(ys, v) + 4);
        plot_tick(file, ys, v);
        fputs("</text>\n", file);
    }
    for (double v = xs->low; v <= xs->high * 1.0000001; v += xs->step) {
        fprintf(file, "<path class=\"axis\" d=\"M%.1f 416v5\"/><text class=\"tick\" "
                      "text-anchor=\"middle\" y=\"438\" x=\"%.1f\">", plot_x(xs, v), plot_x(xs, v));
        plot_tick(file, xs, v);
        fputs("</text>\n", file);
    }
    fputs("<path class=\"axis\" d=\"M84 416H936\"/>\n"
          "<text x=\"510\" y=\"466\" text-anchor=\"middle\">iteration</text>\n"
          "<text transform=\"translate(22 246) rotate(-90)\" "
          "text-anchor=\"middle\">loss</text>\n", file);
}

// Draws the line of the means, its last point and what the loss is there, in four digits.
static inline void plot_line(FILE *file, const plot_axis *xs, const plot_axis *ys,
                             const plot_bin *bin, size_t bins, const char *style,
                             const char *name) {
    const plot_bin *last = &bin[bins - 1];
    double v = last->mean, y = plot_y(ys, v);
    double power = fabs(v) > 1e-4 ? pow(10.0, 3 - floor(log10(fabs(v)))) : 1e8;
    int below = strcmp(style, "held") != 0;  // its text stands below the line, if there is room
    double text_y = y > PLOT_BOTTOM - 28 ? y - (below ? 10 : 28) : y + (below ? 22 : -12);
    fprintf(file, "<g class=\"%s\">\n<polyline clip-path=\"url(#area)\" points=\"", style);
    for (size_t i = 0; i < bins; ++i)
        fprintf(file, "%.1f,%.1f ", plot_x(xs, bin[i].x), plot_y(ys, bin[i].mean));
    fprintf(file, "\"/>\n<circle r=\"4\" cx=\"%.1f\" cy=\"%.1f\"/>\n"
                  "<text text-anchor=\"end\" x=\"934\" y=\"%.1f\">%s %.15g</text>\n</g>\n",
            plot_x(xs, last->x), y, text_y, name,
            fabs(v) < 1e15 ? floor(v * power + 0.5) / power : v);
}

// Draws the band from lowest to highest point of each bin.
static inline void plot_band(FILE *file, const plot_axis *xs, const plot_axis *ys,
                             const plot_bin *bin, size_t bins) {
    fputs("<polygon class=\"band\" clip-path=\"url(#area)\" points=\"", file);
    for (size_t i = 0; i < bins; ++i)
        fprintf(file, "%.1f,%.1f ", plot_x(xs, bin[i].x), plot_y(ys, bin[i].high));
    for (size_t i = bins; i-- > 0;)
        fprintf(file, "%.1f,%.1f ", plot_x(xs, bin[i].x), plot_y(ys, bin[i].low));
    fputs("\"/>\n", file);
}

// Draws loss points (count), one every `every` iterations. held (count) or NULL is a second curve
// at the same iterations; points that are not finite are left out: NAN says that there is none.
// title is UTF-8. Returns 0 if writing failed. Numbers have a point as long as LC_NUMERIC is "C".
static inline int plot_loss(FILE *file, const double *point, const double *held, size_t count,
                            size_t every, const char *title) {
    plot_bin bin[PLOT_BINS], held_bin[PLOT_BINS];
    size_t bins = plot_bins(point, count, every, bin);
    size_t held_bins = held ? plot_bins(held, count, every, held_bin) : 0;
    double x_end = count > 0 && every > 0 ? (double)count * (double)every : 1;
    plot_axis xs = plot_axis_for(0, x_end), ys = plot_loss_axis(bin, bins, held_bin, held_bins);
    xs.high = x_end;
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 480\" "
          "font-family=\"system-ui, sans-serif\" font-size=\"14\">\n<style>\n"
          "svg { background: #fff; fill: #333 } .grid { stroke: #e4e4e4 }\n"
          ".axis { stroke: #888 } .tick { font-size: 12px; fill: #666 }\n"
          ".band { fill: #1f77b4; fill-opacity: .18 } .mean { fill: #1f77b4; stroke: "
          "#1f77b4 }\n.held { fill: #b5400d; stroke: #b5400d }\n"
          "polyline { fill: none; stroke-width: 2; stroke-linejoin: round }\n"
          "g text { stroke: none; font-weight: 600 }\n"
          "@media (prefers-color-scheme: dark) { svg { background: #16181c; "
          "fill: #ddd } .grid { stroke: #33363c }\n.tick { fill: #aaa } "
          ".mean { fill: #6cb2e8; stroke: #6cb2e8 } .band { fill: #6cb2e8 } "
          ".held { fill: #ff9a5a; stroke: #ff9a5a } }\n</style>\n"
          "<clipPath id=\"area\"><rect x=\"84\" y=\"76\" width=\"852\" "
          "height=\"340\"/></clipPath>\n"
          "<text x=\"84\" y=\"32\" font-size=\"19\" font-weight=\"600\">", file);
    plot_text(file, title);
    fputs("</text>\n<text class=\"tick\" x=\"84\" y=\"54\">", file);
    if (bins)
        fprintf(file, "%lu points, each the mean of %lu iterations; the line is their mean, the "
                      "band their range", (unsigned long)count, (unsigned long)every);
    else
        fputs("no loss points yet", file);
    fputs("</text>\n", file);
    plot_axes(file, &xs, &ys);
    if (bins) plot_band(file, &xs, &ys, bin, bins);
    if (held_bins) plot_line(file, &xs, &ys, held_bin, held_bins, "held", "held out");
    if (bins) plot_line(file, &xs, &ys, bin, bins, "mean", held_bins ? "trained on" : "now");
    fputs("</svg>\n", file);
    return !ferror(file);
}

#endif  // PLOT_H
