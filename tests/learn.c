// The gradient check of the header HEADER on a conversation of the lessons: prints the worst error.
// tests/learn.sh compiles it with headers in which a derivative has been broken.
#define PKTSEQ_REAL double
#define PKTSEQ_STATIC
#define PKTSEQ_NO_SIMD
#define PKTSEQ_FILE HEADER
#include HEADER
#include <stdio.h>

int main(void) {
    // hello, hello, "send me 3"; three packets, goodbye, goodbye
    double input[12] = {1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0.5}, worst;
    double target[20] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0};
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_pair pair = {input, input + 8, target, 3, 5, NULL};
    pktseq_model model;
    pktseq_work work;
    config.in = config.out = 4;
    config.hidden = 16;
    config.inputs = 3;
    config.start = PKTSEQ_START_INPUT;
    if (pktseq_model_init(&model, &config, 1, NULL, NULL) ||
        pktseq_work_init(&work, &config, 1, 5, 1, NULL, NULL) ||
        pktseq_gradcheck(&model, &work, &pair, 1, NULL, 1e-5, &worst))
        return 1;
    printf("%.2g\n", worst);
    pktseq_work_free(&work);
    pktseq_model_free(&model);
    return 0;
}
