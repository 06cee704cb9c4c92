#include "cmocka_all.h"
#include "list.h"

#include <string.h>

struct item {
    char name;
    struct list_node node;
};

/* The names of the members, in order. */
static const char *names(const struct list *list)
{
    static char text[16];
    size_t size = 0;

    LIST_FOR_EACH (node, list)
        text[size++] = LIST_ITEM(node, struct item, node)->name;
    text[size] = '\0';
    return text;
}

static int setup_items(struct list *list, struct item *items, size_t count)
{
    list_init(list);
    memset(items, 0, count * sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        items[i].name = (char)('a' + i);
        list_append(list, &items[i].node);
    }
    return 0;
}

/* A list keeps the order of appending, and a new one is empty. */
static void test_order(void **state)
{
    struct item items[3];
    struct list list;

    (void)state;
    (void)setup_items(&list, items, 0);
    assert_true(list_is_empty(&list));
    assert_string_equal(names(&list), "");
    (void)setup_items(&list, items, 3);
    assert_false(list_is_empty(&list));
    assert_string_equal(names(&list), "abc");
}

/* A member that is prepended to a list, empty or not, is the first. */
static void test_prepend(void **state)
{
    struct item items[3];
    struct list list;

    (void)state;
    (void)setup_items(&list, items, 3);
    for (int i = 0; i < 3; i++)
        list_remove(&items[i].node);
    for (int i = 0; i < 3; i++)
        list_prepend(&list, &items[i].node);
    assert_string_equal(names(&list), "cba");
    list_remove(&items[1].node);
    list_append(&list, &items[1].node);
    assert_string_equal(names(&list), "cab");
    assert_ptr_equal(list_pop(&list), &items[2].node);
}

/* A member knows whether it is in a list; taking it out again changes nothing. */
static void test_remove(void **state)
{
    struct item items[3];
    struct item other = {.name = 'x'};
    struct list list;

    (void)state;
    (void)setup_items(&list, items, 3);
    for (int i = 0; i < 2; i++) {
        list_remove(&items[1].node);
        assert_false(list_is_linked(&items[1].node));
        assert_string_equal(names(&list), "ac");
    }
    list_remove(&other.node);
    assert_string_equal(names(&list), "ac");
    list_append(&list, &items[1].node);
    assert_true(list_is_linked(&items[1].node));
    assert_string_equal(names(&list), "acb");
}

/* Popping takes the first ones, until there is none. */
static void test_pop(void **state)
{
    struct item items[2];
    struct list list;

    (void)state;
    (void)setup_items(&list, items, 2);
    assert_ptr_equal(list_pop(&list), &items[0].node);
    assert_false(list_is_linked(&items[0].node));
    assert_ptr_equal(list_pop(&list), &items[1].node);
    assert_null(list_pop(&list));
    assert_true(list_is_empty(&list));
}

/* A loop over the list may remove the current member. */
static void test_remove_while_iterating(void **state)
{
    struct item items[4];
    struct list list;

    (void)state;
    (void)setup_items(&list, items, 4);
    LIST_FOR_EACH (node, &list) {
        if (node == &items[0].node || node == &items[3].node)
            list_remove(node);
    }
    assert_string_equal(names(&list), "bc");
}

/* All members are moved; they can be removed from the new list, and the old list can be used again.
 */
static void test_move(void **state)
{
    struct item items[3];
    struct item other = {.name = 'x'};
    struct list from;
    struct list to;

    (void)state;
    (void)setup_items(&from, items, 3);
    list_move(&to, &from);
    list_append(&from, &other.node);
    assert_string_equal(names(&from), "x");
    assert_string_equal(names(&to), "abc");
    list_remove(&items[0].node);
    list_remove(&items[2].node);
    assert_string_equal(names(&to), "b");
    list_remove(&other.node);
    list_move(&to, &from);
    assert_true(list_is_empty(&to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_prepend),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_pop),
        cmocka_unit_test(test_remove_while_iterating),
        cmocka_unit_test(test_move),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
