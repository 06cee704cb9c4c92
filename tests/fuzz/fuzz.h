/* fuzz.h - what the fuzz targets share: checks that end the run, and reading parts of an input.
 *
 * A target is one file with LLVMFuzzerTestOneInput(), which libFuzzer calls with one input after
 * another; see https://llvm.org/docs/LibFuzzer.html. tools/fuzz.sh runs a target for a given time.
 */
#ifndef LOTTERY_FUZZ_H
#define LOTTERY_FUZZ_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the run when the condition is false: libFuzzer then saves the input. */
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

/* The part of an input that has not been read yet. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* The next byte; 0 at the end. */
uint8_t fuzz_byte(struct fuzz_input *input);

/* The next number of `bytes` bytes, little endian; bytes after the end are 0. */
uint64_t fuzz_uint(struct fuzz_input *input, unsigned bytes);

/* A text of at most `max` bytes (its length is one byte of the input) in a memory block of its own,
 * so that a sanitizer notices reading beyond its end. With `has_nul` it is followed by a NUL that
 * is not part of it. The caller frees it with fuzz_text_free. */
struct text fuzz_text(struct fuzz_input *input, size_t max, bool has_nul);
void fuzz_text_free(struct text text);

/* The path of a regular file in memory that holds these bytes until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* Discards what the code under test logs; it is still formatted. */
void fuzz_silence_log(void);

/* Today is 2026-03-01 in every run. */
void fuzz_fix_clock(void);
#define FUZZ_TODAY 20260301

bool fuzz_text_equals(struct text a, struct text b);

#endif
