/* The order of RFC 8305, over lists that the test makes. */
#include "address_order.h"
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 40

/* Addresses as getaddrinfo() would return them. */
struct list {
    struct addrinfo entries[LIST_MAX];
    struct sockaddr_storage addresses[LIST_MAX];
};

/* Makes a list of "4a 6b": the family, and a letter that becomes the port. */
static const struct addrinfo *make(struct list *list, const char *text)
{
    size_t count = 0;

    memset(list, 0, sizeof(*list));
    for (; *text != '\0'; text += text[2] == ' ' ? 3 : 2) {
        struct addrinfo *entry = &list->entries[count];
        struct sockaddr_storage *address = &list->addresses[count];
        assert_true(count < LIST_MAX);
        if (text[0] == '4') {
            *(struct sockaddr_in *)address =
                (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint8_t)text[1])};
            entry->ai_addrlen = sizeof(struct sockaddr_in);
        } else {
            *(struct sockaddr_in6 *)address = (struct sockaddr_in6){
                .sin6_family = AF_INET6, .sin6_port = htons((uint8_t)text[1])};
            entry->ai_addrlen = sizeof(struct sockaddr_in6);
        }
        entry->ai_family = address->ss_family;
        entry->ai_addr = (struct sockaddr *)address;
        if (count > 0)
            list->entries[count - 1].ai_next = entry;
        count++;
    }
    return count > 0 ? list->entries : NULL;
}

static void assert_order(const char *text, const char *expected)
{
    struct sockaddr_storage out[ADDRESS_ORDER_MAX];
    struct list list;
    char got[4 * ADDRESS_ORDER_MAX] = "";

    size_t count = address_order(make(&list, text), out);
    for (size_t i = 0; i < count; i++) {
        bool is_v4 = out[i].ss_family == AF_INET;
        uint16_t port = ntohs(is_v4 ? ((struct sockaddr_in *)&out[i])->sin_port
                                    : ((struct sockaddr_in6 *)&out[i])->sin6_port);
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%c%c", i > 0 ? " " : "",
                       is_v4 ? '4' : '6', (char)port);
    }
    assert_string_equal(got, expected);
}

/* The families take turns, and the first address decides which one begins. */
static void test_families_take_turns(void **state)
{
    (void)state;
    assert_order("6a 6b 4c 4d", "6a 4c 6b 4d");
    assert_order("4a 4b 6c 6d", "4a 6c 4b 6d");
    assert_order("6a 4b 6c 4d", "6a 4b 6c 4d");
    assert_order("6a 6b 6c 4d", "6a 4d 6b 6c");
    assert_order("4a 6b 6c 6d 4e", "4a 6b 4e 6c 6d");
}

/* A single family, a single address, and none. */
static void test_one_family(void **state)
{
    (void)state;
    assert_order("4a 4b 4c", "4a 4b 4c");
    assert_order("6a 6b", "6a 6b");
    assert_order("6a", "6a");
    assert_order("", "");
}

/* Of a long list the first ones count. */
static void test_too_many(void **state)
{
    (void)state;
    assert_order("4a 4b 4c 4d 4e 4f 4g 4h 4i 4j 4k 4l 4m 4n 4o 4p 4q 4r 6s 6t",
                 "4a 6s 4b 6t 4c 4d 4e 4f 4g 4h 4i 4j 4k 4l 4m 4n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_take_turns),
        cmocka_unit_test(test_one_family),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests_name("address_order", tests, NULL, NULL);
}
