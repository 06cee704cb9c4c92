/* errbuf.h - an error's text for people: bounded, and each caller can put context in front of it.
 *
 * The caller owns the struct. Every function accepts NULL, which means that no text is wanted.
 */
#ifndef LOTTERY_ERRBUF_H
#define LOTTERY_ERRBUF_H

struct errbuf {
    char text[512]; /* NUL-terminated; cut when it does not fit */
};

/* Replaces the text. */
void errbuf_set(struct errbuf *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the current text. */
void errbuf_wrap(struct errbuf *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
