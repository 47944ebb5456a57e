// c++ -O3 -march=native tests/bench/peer_onednn.cpp -ldnnl -o peer_onednn    (oneDNN, version 2)
// OMP_NUM_THREADS=1 ./peer_onednn [batch=1] [steps=10] [calls=1] [seconds=0.5]
// Times a training step of one GRU of oneDNN (lbr_gru, which is PyTorch's), 25 inputs, 256 hidden
// units: pack the weights anew, forward, gradients to zero, backward, descend. Every sequence has
// the same number of steps, all inputs are known beforehand, and there is no output layer: less
// work, and easier work, than a decoder that runs on its own outputs. Such a decoder would have to
// call steps=1 for each packet: calls=10 packs and descends once for ten calls of either pass.
// Before that, outputs and gradients are compared with plain loops; a difference ends the program.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <vector>
#include <oneapi/dnnl/dnnl.hpp>

using dnnl::memory;
using tag = memory::format_tag;
typedef std::unordered_map<int, memory> args;

enum { D = 25, H = 256, GATES = 3, BIASES = 4 };
static const float rate = 1e-9f;

static double now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

static size_t numbers(const memory &m) { return m.get_desc().get_size() / sizeof(float); }
static float *data(const memory &m) { return static_cast<float *>(m.get_data_handle()); }

// Numbers between -size and size that look random and are always the same.
static void fill(const memory &m, float size, unsigned seed) {
    for (size_t i = 0; i < numbers(m); ++i) {
        seed = seed * 1664525u + 1013904223u;
        data(m)[i] = size * (static_cast<float>(seed >> 8) / 8388608.0f - 1.0f);
    }
}

static memory::desc floats(const memory::dims &dims, tag format) {
    return memory::desc(dims, memory::data_type::f32, format);
}

struct Layer {
    int steps, batch;
    dnnl::engine engine;
    dnnl::stream stream;
    dnnl::lbr_gru_forward forward;
    dnnl::lbr_gru_backward backward;
    memory x, h, w_x, w_h, bias, y, last;              // as the caller keeps them
    memory dx, dh, dw_x, dw_h, dbias, dy, dlast;       // gradients
    memory f_x, f_h, b_x, b_h, space;                  // weights as the two passes want them
    std::vector<dnnl::reorder> pack;
    args forward_args, backward_args;

    Layer(int steps_, int batch_)
        : steps(steps_), batch(batch_), engine(dnnl::engine::kind::cpu, 0), stream(engine) {
        const auto side = dnnl::rnn_direction::unidirectional_left2right;
        const auto X = floats({steps, batch, D}, tag::tnc), S = floats({1, 1, batch, H}, tag::ldnc);
        const auto Y = floats({steps, batch, H}, tag::tnc);
        const auto WX = floats({1, 1, D, GATES, H}, tag::ldigo);
        const auto WH = floats({1, 1, H, GATES, H}, tag::ldigo);
        const auto any_x = floats({1, 1, D, GATES, H}, tag::any);
        const auto any_h = floats({1, 1, H, GATES, H}, tag::any);
        const auto B = floats({1, 1, BIASES, H}, tag::ldgo);
        dnnl::lbr_gru_forward::primitive_desc f(
            {dnnl::prop_kind::forward_training, side, X, S, any_x, any_h, B, Y, S}, engine);
        dnnl::lbr_gru_backward::primitive_desc b(
            {dnnl::prop_kind::backward, side, X, S, any_x, any_h, B, Y, S, X, S, WX, WH, B, Y, S},
            engine, f);
        forward = dnnl::lbr_gru_forward(f);
        backward = dnnl::lbr_gru_backward(b);
        for (memory *m : {&x, &dx}) *m = memory(X, engine);
        for (memory *m : {&h, &last, &dh, &dlast}) *m = memory(S, engine);
        for (memory *m : {&y, &dy}) *m = memory(Y, engine);
        for (memory *m : {&w_x, &dw_x}) *m = memory(WX, engine);
        for (memory *m : {&w_h, &dw_h}) *m = memory(WH, engine);
        for (memory *m : {&bias, &dbias}) *m = memory(B, engine);
        f_x = memory(f.weights_layer_desc(), engine);
        f_h = memory(f.weights_iter_desc(), engine);
        b_x = memory(b.weights_layer_desc(), engine);
        b_h = memory(b.weights_iter_desc(), engine);
        space = memory(f.workspace_desc(), engine);
        pack = {dnnl::reorder(w_x, f_x), dnnl::reorder(w_h, f_h), dnnl::reorder(w_x, b_x),
                dnnl::reorder(w_h, b_h)};
        forward_args = {{DNNL_ARG_SRC_LAYER, x},       {DNNL_ARG_SRC_ITER, h},
                        {DNNL_ARG_WEIGHTS_LAYER, f_x}, {DNNL_ARG_WEIGHTS_ITER, f_h},
                        {DNNL_ARG_BIAS, bias},         {DNNL_ARG_DST_LAYER, y},
                        {DNNL_ARG_DST_ITER, last},     {DNNL_ARG_WORKSPACE, space}};
        backward_args = {{DNNL_ARG_DIFF_SRC_LAYER, dx},       {DNNL_ARG_DIFF_SRC_ITER, dh},
                         {DNNL_ARG_DIFF_WEIGHTS_LAYER, dw_x}, {DNNL_ARG_DIFF_WEIGHTS_ITER, dw_h},
                         {DNNL_ARG_DIFF_BIAS, dbias},         {DNNL_ARG_DIFF_DST_LAYER, dy},
                         {DNNL_ARG_DIFF_DST_ITER, dlast}};
        backward_args.insert(forward_args.begin(), forward_args.end());
        backward_args[DNNL_ARG_WEIGHTS_LAYER] = b_x;
        backward_args[DNNL_ARG_WEIGHTS_ITER] = b_h;
        fill(x, 1.0f, 1);
        fill(h, 0.0f, 2);
        fill(w_x, 0.0625f, 3);
        fill(w_h, 0.0625f, 4);
        fill(bias, 0.0625f, 5);
        fill(dy, 0.01f, 6);
        fill(dlast, 0.0f, 7);
    }

    // The calls after the first find what that left: of no use, but as much work.
    void gradients(int calls) {
        pack[0].execute(stream, w_x, f_x);
        pack[1].execute(stream, w_h, f_h);
        pack[2].execute(stream, w_x, b_x);
        pack[3].execute(stream, w_h, b_h);
        for (int i = 0; i < calls; ++i) forward.execute(stream, forward_args);
        for (const memory *m : {&dw_x, &dw_h, &dbias})
            std::memset(data(*m), 0, m->get_desc().get_size());
        for (int i = 0; i < calls; ++i) backward.execute(stream, backward_args);
        stream.wait();
    }

    static void descend(const memory &w, const memory &g) {
        float *a = data(w);
        const float *b = data(g);
        const size_t n = numbers(w);
        for (size_t i = 0; i < n; ++i) a[i] -= rate * b[i];
    }

    void step(int calls) {
        gradients(calls);
        descend(w_x, dw_x);
        descend(w_h, dw_h);
        descend(bias, dbias);
    }
};

// sum of y * dy, which has the gradients that backward is to find; y (T, B, H) out.
//   u, r = sigmoid(W x + U h + b)     o = tanh(W x + b + r * (U h + c))     h = u h + (1 - u) o
static double plain(const Layer &l, std::vector<double> &y) {
    const float *x = data(l.x), *w = data(l.w_x), *v = data(l.w_h), *b = data(l.bias);
    const float *dy = data(l.dy);
    std::vector<double> h(static_cast<size_t>(l.batch * H), 0.0), next = h;
    double sum = 0;
    y.clear();
    for (int t = 0; t < l.steps; ++t) {
        for (int k = 0; k < l.batch; ++k)
            for (int j = 0; j < H; ++j) {
                double in[GATES], back[GATES], u, r, o;
                for (int g = 0; g < GATES; ++g) {
                    in[g] = b[g * H + j];
                    back[g] = g == 2 ? b[3 * H + j] : 0;
                    for (int i = 0; i < D; ++i)
                        in[g] += static_cast<double>(x[(t * l.batch + k) * D + i]) *
                                 w[(i * GATES + g) * H + j];
                    for (int i = 0; i < H; ++i)
                        back[g] += h[k * H + i] * v[(i * GATES + g) * H + j];
                }
                u = 1 / (1 + std::exp(-in[0] - back[0]));
                r = 1 / (1 + std::exp(-in[1] - back[1]));
                o = std::tanh(in[2] + r * back[2]);
                next[k * H + j] = u * h[k * H + j] + (1 - u) * o;
            }
        h = next;
        for (int i = 0; i < l.batch * H; ++i) sum += h[i] * dy[t * l.batch * H + i];
        y.insert(y.end(), h.begin(), h.end());
    }
    return sum;
}

static void check() {
    Layer l(3, 2);
    std::vector<double> y, unused;
    double worst = 0, worst_gradient = 0;
    l.gradients(1);
    plain(l, y);
    for (size_t i = 0; i < y.size(); ++i) worst = std::fmax(worst, std::fabs(y[i] - data(l.y)[i]));
    const memory *weight[] = {&l.w_x, &l.w_h, &l.bias}, *gradient[] = {&l.dw_x, &l.dw_h, &l.dbias};
    for (int k = 0; k < 3; ++k) {
        double largest = 0, difference = 0;
        for (size_t i = 0; i < numbers(*gradient[k]); ++i)
            largest = std::fmax(largest, std::fabs(data(*gradient[k])[i]));
        for (size_t i = 7; i < numbers(*weight[k]); i += numbers(*weight[k]) / 9) {
            float *w = data(*weight[k]) + i;
            const float kept = *w, up = kept + 0.001f, down = kept - 0.001f;
            double above, slope;
            *w = up;
            above = plain(l, unused);
            *w = down;
            slope = (above - plain(l, unused)) / (static_cast<double>(up) - down);
            *w = kept;
            difference = std::fmax(difference, std::fabs(slope - data(*gradient[k])[i]));
        }
        worst_gradient = std::fmax(worst_gradient, difference / largest);
    }
    if (!(worst < 1e-5) || !(worst_gradient < 1e-3)) {
        std::fprintf(stderr, "peer_onednn: differs from plain loops by %g, gradients by %g\n",
                     worst, worst_gradient);
        std::exit(1);
    }
}

int main(int argc, char **argv) {
    int batch = 1, steps = 10, calls = 1;
    double seconds = 0.5, begin, elapsed;
    const char *threads = std::getenv("OMP_NUM_THREADS");
    for (int i = 1; i < argc; ++i) {
        if (std::strncmp(argv[i], "batch=", 6) == 0) batch = std::atoi(argv[i] + 6);
        else if (std::strncmp(argv[i], "steps=", 6) == 0) steps = std::atoi(argv[i] + 6);
        else if (std::strncmp(argv[i], "calls=", 6) == 0) calls = std::atoi(argv[i] + 6);
        else if (std::strncmp(argv[i], "seconds=", 8) == 0) seconds = std::atof(argv[i] + 8);
        else batch = 0;
    }
    if (batch < 1 || steps < 1 || calls < 1) {
        std::fprintf(stderr, "usage: peer_onednn [batch=] [steps=] [calls=] [seconds=]\n");
        return 2;
    }
    check();
    Layer l(steps, batch);
    begin = now();
    do l.step(calls); while (now() - begin < 0.1);
    long times = 0;
    begin = now();
    do {
        l.step(calls);
        ++times;
        elapsed = now() - begin;
    } while (elapsed < seconds);
    const double packets = static_cast<double>(times) * batch * steps * calls;
    std::printf("work=onednn version=%d.%d.%d batch=%d steps=%d calls=%d threads=%s seconds=%.4f "
                "iterations_per_s=%.2f packet_steps_per_s=%.0f gflops=%.3f\n",
                dnnl::version()->major, dnnl::version()->minor, dnnl::version()->patch, batch,
                steps, calls, threads ? threads : "?", elapsed, times / elapsed, packets / elapsed,
                packets * 3 * 6 * H * (D + H) / elapsed / 1e9);
    return 0;
}
