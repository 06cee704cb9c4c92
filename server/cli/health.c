#include "health.h"

#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_S 2

static int connect_to(const struct server_settings *settings)
{
    const struct timeval timeout = {TIMEOUT_S, 0};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)settings->port)};

    if (inet_pton(AF_INET, settings->ip, &address.sin_addr) != 1)
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* connect, too */
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* "Where were we?" is answered with an Ack, whatever its code. */
static bool ask_lottery(int fd)
{
    Lottery__V1__NewBets question;
    uint8_t frame[FRAME_MAX_SIZE];

    lottery__v1__new_bets__init(&question);
    question.agency_id = 1;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    if (send(fd, frame, size, MSG_NOSIGNAL) != (ssize_t)size || shutdown(fd, SHUT_WR) != 0 ||
        recv(fd, frame, 1, 0) != 1)
        return false;
    bool is_ack = frame[0] == LOTTERY__V1__OPCODE__OPCODE_ACK;
    /* Closing with bytes unread would look to the server as if the connection had broken. */
    while (recv(fd, frame, sizeof(frame), 0) > 0)
        ;
    return is_ack;
}

/* A connection that ends without a line is ended by the server, too. */
static bool ask_echo(int fd)
{
    char byte;

    return shutdown(fd, SHUT_WR) == 0 && recv(fd, &byte, 1, 0) == 0;
}

int health_ask(const struct server_settings *settings)
{
    int fd = connect_to(settings);
    bool is_well = false;

    if (fd >= 0) {
        is_well = settings->mode == SERVER_MODE_ECHO ? ask_echo(fd) : ask_lottery(fd);
        (void)close(fd);
    }
    if (!is_well)
        (void)fprintf(stderr, "lottery-server: no answer on port %u\n", settings->port);
    return is_well ? 0 : 1;
}
