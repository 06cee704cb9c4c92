#include "capture.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE_MAX (64 * 1024)

void capture_begin(struct capture *capture)
{
    int fds[2];

    memset(capture, 0, sizeof(*capture));
    (void)fflush(stdout);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    capture->saved = dup(STDOUT_FILENO);
    assert_true(capture->saved >= 0);
    assert_int_equal(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
    assert_int_equal(close(fds[1]), 0);
    capture->fd = fds[0];
}

void capture_end(struct capture *capture)
{
    char *piece = malloc(WRITE_MAX);
    ssize_t size;

    (void)fflush(stdout);
    /* From here on the packet socket has no writer: reading it ends. */
    assert_int_equal(dup2(capture->saved, STDOUT_FILENO), STDOUT_FILENO);
    assert_int_equal(close(capture->saved), 0);
    assert_non_null(piece);
    capture->text = calloc(1, 1);
    assert_non_null(capture->text);
    while ((size = read(capture->fd, piece, WRITE_MAX)) > 0) {
        capture->text = realloc(capture->text, capture->size + (size_t)size + 1);
        capture->sizes = realloc(capture->sizes, (capture->writes + 1) * sizeof(size_t));
        assert_non_null(capture->text);
        assert_non_null(capture->sizes);
        memcpy(capture->text + capture->size, piece, (size_t)size);
        capture->size += (size_t)size;
        capture->text[capture->size] = '\0';
        capture->sizes[capture->writes++] = (size_t)size;
    }
    assert_int_equal(size, 0);
    free(piece);
    assert_int_equal(close(capture->fd), 0);
}

void capture_free(struct capture *capture)
{
    free(capture->text);
    free(capture->sizes);
    capture->text = NULL;
    capture->sizes = NULL;
}
