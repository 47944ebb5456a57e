// The gradients of the header HEADER beside those of its plain network, on a conversation of the
// lessons: prints the worst tensor's difference in relation to its largest gradient.
// tests/learn.sh compiles it with headers in which a derivative has been broken.
#define PKTSEQ_REAL double
#define PKTSEQ_STATIC
#define PKTSEQ_NO_SIMD
#define PKTSEQ_FILE HEADER
#include HEADER
#include <stdio.h>

int main(void) {
    // hello, hello, "send me 3"; three packets, goodbye, goodbye
    double input[12] = {1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0.5}, worst = 0;
    double target[20] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0};
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_pair pair = {input, input + 8, target, 3, 5, NULL};
    pktseq_model model;
    pktseq_work work;
    pktseq_plain plain;
    config.in = config.out = 4;
    config.hidden = 16;
    config.inputs = 3;
    config.start = PKTSEQ_START_INPUT;
    if (pktseq_model_init(&model, &config, 1, NULL, NULL) ||
        pktseq_work_init(&work, &config, 1, 5, 1, NULL, NULL) ||
        pktseq_forward(&model, &work, &pair, 1, NULL) || pktseq_backward(&model, &work) ||
        pktseq_plain_init(&plain, &model, &pair, 0, NULL, NULL))
        return 1;
    for (size_t k = 0; k < PKTSEQ_TENSOR_COUNT; ++k) {
        double difference = 0, largest = 0;
        pktseq_tensor tensor;
        size_t at;
        if (pktseq_model_tensor(&model, k, &tensor)) return 1;
        at = (size_t)(tensor.data - model.block);
        for (size_t i = at; i < at + tensor.rows * tensor.cols; ++i) {
            difference = fmax(difference, fabs(work.grad_block[i] - plain.grad[i]));
            largest = fmax(largest, fabs(plain.grad[i]));
        }
        worst = fmax(worst, difference / largest);
    }
    if (worst < 1e-13) printf("below 1e-13\n");
    else printf("%.2g\n", worst);
    pktseq_plain_free(&plain);
    pktseq_work_free(&work);
    pktseq_model_free(&model);
    return 0;
}
