/* A name service for tests, to be loaded before the C library (LD_PRELOAD): getaddrinfo() finds the
 * names of LOTTERY_TEST_NAMES and no others. "two.test=127.0.0.2,127.0.0.1 slow.test=wait": a name
 * with two IPv4 addresses, and one whose lookup never ends.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out);
void freeaddrinfo(struct addrinfo *list);

/* What the table has for a name, up to the next space; NULL: nothing. */
static const char *find(const char *host)
{
    const char *table = getenv("LOTTERY_TEST_NAMES");
    size_t size = strlen(host);

    while (table != NULL && *table != '\0') {
        if (strncmp(table, host, size) == 0 && table[size] == '=')
            return table + size + 1;
        table = strchr(table, ' ');
        table = table != NULL ? table + 1 : NULL;
    }
    return NULL;
}

static struct addrinfo *make_entry(const char *text, size_t size, const char *port)
{
    struct addrinfo *entry = calloc(1, sizeof(*entry) + sizeof(struct sockaddr_in));
    char digits[INET_ADDRSTRLEN] = "";

    if (entry == NULL || size >= sizeof(digits))
        abort();
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(entry + 1);
    memcpy(digits, text, size);
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)strtol(port, NULL, 10));
    if (inet_pton(AF_INET, digits, &address->sin_addr) != 1)
        abort();
    entry->ai_family = AF_INET;
    entry->ai_socktype = SOCK_STREAM;
    entry->ai_addrlen = sizeof(*address);
    entry->ai_addr = (struct sockaddr *)address;
    return entry;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out)
{
    const char *text = find(host);
    struct addrinfo **last = out;

    (void)hints;
    if (text == NULL)
        return EAI_NONAME;
    while (strncmp(text, "wait", 4) == 0)
        (void)pause();
    for (;;) {
        size_t size = strcspn(text, ", ");
        *last = make_entry(text, size, port != NULL ? port : "0");
        last = &(*last)->ai_next;
        if (text[size] != ',')
            return 0;
        text += size + 1;
    }
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}
