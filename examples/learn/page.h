// page.h - what page.c and page_check.c share: sizes of the lessons' conversations, and how a
// function of theirs is seen by the page.
#ifndef PAGE_H
#define PAGE_H

enum { D = 4, N = 3, KINDS = 6, MOST_WAIT = 10, MOST_T = MOST_WAIT + KINDS + 1 + 2 };

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name))) name
#else
#define EXPORT(name) name
#endif

int start(int hidden, int pause, int down);
void train(int steps, double rate, double clip, int forcing);
double evaluate(int forced);
int look(int asked, int sent, int forced);
const float *gates_at(int s);
const float *state_at(int s);
const float *dh_at(int s);
const float *in_at(int s);
const float *out_at(int s);
const float *truth_at(int s);
float *weights(void);
int parameters(void);
int hidden(void);
int trained(void);
void trained_is(int steps);
unsigned hash(int high);

int check_begin(int steps, int broken, int forced);
double check_tensor(int index);
const char *check_name(int index);
void check_end(void);

#endif
