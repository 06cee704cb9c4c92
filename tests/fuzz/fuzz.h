/* fuzz.h - what the fuzz targets share: checks that end the run, and pieces of an input.
 *
 * A target is one file with LLVMFuzzerTestOneInput(), which libFuzzer calls with one input after
 * the other; https://llvm.org/docs/LibFuzzer.html. tools/fuzz.sh runs one for as long as wanted.
 */
#ifndef LOTTERY_FUZZ_H
#define LOTTERY_FUZZ_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the run with the input as a finding. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* libFuzzer's entry points. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* The next byte; 0 at the end. */
uint8_t fuzz_byte(struct fuzz_input *input);

/* The next number of `bytes` bytes, little endian; 0 bits at the end. */
uint64_t fuzz_uint(struct fuzz_input *input, unsigned bytes);

/* A text of at most `max` bytes (its length is one byte of the input) in a block of its own, so
 * that a sanitizer sees one byte too many being read. It ends with a NUL that is not part of it
 * when `has_nul`. The caller frees text.data with fuzz_text_free. */
struct text fuzz_text(struct fuzz_input *input, size_t max, bool has_nul);
void fuzz_text_free(struct text text);

/* The path of a regular file in memory that holds these bytes, until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* What the code under test logs goes nowhere, but is formatted. */
void fuzz_silence_log(void);

/* Today is 2026-03-01 in every run. */
void fuzz_fix_clock(void);
#define FUZZ_TODAY 20260301

bool fuzz_text_equals(struct text a, struct text b);

#endif
