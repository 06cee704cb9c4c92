/* list.h - a doubly linked list whose links are fields of its members.
 *
 * A member has a struct list_node for each list it can be in. The node shows whether the member is
 * in the list, so removing a member twice, or before it was ever added, is fine; the C library's
 * sys/queue.h does not allow that. Nothing is allocated.
 */
#ifndef LOTTERY_LIST_H
#define LOTTERY_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A member's links; zeroed or after list_remove() it is in no list. */
struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

/* The list itself. A ring: `ring` is linked like a member, before the first and after the last. */
struct list {
    struct list_node ring;
};

/* The member of type `type` whose field `field` is `node`. */
#define LIST_ITEM(node, type, field) ((type *)(void *)((char *)(node)-offsetof(type, field)))

/* Goes over the nodes in order; `node` is the name of the loop's variable. The body may remove the
 * current member, but no other one. */
/* NOLINTBEGIN(bugprone-macro-parentheses): a name that is declared cannot stand in parentheses */
#define LIST_FOR_EACH(node, list)                                                                  \
    for (struct list_node *node = (list)->ring.next, *next_##node = node->next;                    \
         node != &(list)->ring; node = next_##node, next_##node = node->next)
/* NOLINTEND(bugprone-macro-parentheses) */

/* Makes the list empty. To be called before anything else. */
static inline void list_init(struct list *list)
{
    list->ring.next = &list->ring;
    list->ring.prev = &list->ring;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->ring.next == &list->ring;
}

/* Is the member in a list? */
static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != NULL;
}

/* Adds a member that is in no list, as the last one. */
static inline void list_append(struct list *list, struct list_node *node)
{
    node->next = &list->ring;
    node->prev = list->ring.prev;
    node->prev->next = node;
    list->ring.prev = node;
}

/* Adds a member that is in no list, as the first one. */
static inline void list_prepend(struct list *list, struct list_node *node)
{
    node->prev = &list->ring;
    node->next = list->ring.next;
    node->next->prev = node;
    list->ring.next = node;
}

/* Takes a member out of its list, if it is in one. */
static inline void list_remove(struct list_node *node)
{
    if (!list_is_linked(node))
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = NULL;
    node->prev = NULL;
}

/* Takes the first member out and returns its node; NULL when the list is empty. */
static inline struct list_node *list_pop(struct list *list)
{
    struct list_node *first = list->ring.next;

    if (list_is_empty(list))
        return NULL;
    list_remove(first);
    return first;
}

/* Moves all members of `from` to `to`, whose former content is dropped, and empties `from`. */
static inline void list_move(struct list *to, struct list *from)
{
    list_init(to);
    if (list_is_empty(from))
        return;
    to->ring = from->ring;
    to->ring.next->prev = &to->ring;
    to->ring.prev->next = &to->ring;
    list_init(from);
}

#endif
