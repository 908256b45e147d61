/*
 * The queue against a naive model, and its cost: the number of nodes that an operation's loops go
 * through is counted by the compiler's own coverage counters, so that the source has no hook.
 */
#include "unit.h"
#include "pqueue.h"
#include <stdlib.h>

/* The source is compiled with -fsanitize-coverage=trace-pc: this runs at the start of each block.
 */
static unsigned long blocks;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

/* No operation on a heap of n nodes walks more than two paths of log2(n + 1) nodes down and one up,
 * with a few blocks for each node. */
static unsigned long bound(unsigned long n)
{
    unsigned long log2 = 1;

    while (1UL << log2 < n + 1)
        log2++;
    return 30 * (log2 + 2);
}

/* Each node's place in the tree: children after their parents, leftist, parents linked back. */
static unsigned check_tree(const struct pqueue_node *node, const struct pqueue_node *parent)
{
    if (!node)
        return 0;
    assert_ptr_equal(node->parent, parent);
    assert_true(node->queued);
    if (parent)
        assert_true(parent->key < node->key ||
                    (parent->key == node->key && parent->order < node->order));
    unsigned left = node->left ? node->left->rank : 0, right = node->right ? node->right->rank : 0;

    assert_true(left >= right);
    assert_int_equal(node->rank, right + 1);
    return 1 + check_tree(node->left, node) + check_tree(node->right, node);
}

/* The node that a naive search through all of them finds first. */
static struct pqueue_node *naive_first(struct pqueue_node *nodes, unsigned count)
{
    struct pqueue_node *first = NULL;

    for (unsigned i = 0; i < count; i++) {
        struct pqueue_node *node = &nodes[i];

        if (node->queued && (!first || node->key < first->key ||
                             (node->key == first->key && node->order < first->order)))
            first = node;
    }
    return first;
}

static void test_against_naive_model(void **state)
{
    static struct pqueue_node nodes[64];
    struct pqueue queue = {0};
    unsigned queued = 0;
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        struct pqueue_node *node = &nodes[unit_random(&seed) % 64];

        if (node->queued) {
            pqueue_remove(&queue, node);
            assert_false(node->queued);
            queued--;
        } else {
            pqueue_insert(&queue, node, unit_random(&seed) % 20);
            queued++;
        }
        assert_int_equal(queue.count, queued);
        assert_int_equal(check_tree(queue.root, NULL), queued);
        assert_ptr_equal(pqueue_first(&queue), naive_first(nodes, 64));
    }
}

static void test_equal_keys_come_in_order_of_arrival(void **state)
{
    static struct pqueue_node nodes[100];
    struct pqueue queue = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        pqueue_insert(&queue, &nodes[i], 7);
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(pqueue_first(&queue), &nodes[i]);
        pqueue_remove(&queue, &nodes[i]);
    }
    assert_null(pqueue_first(&queue));
}

static void test_largest_keys(void **state)
{
    struct pqueue_node never = {0}, now = {0}, never_too = {0};
    struct pqueue queue = {0};

    (void)state;
    pqueue_insert(&queue, &never, UINT64_MAX);
    pqueue_insert(&queue, &never_too, UINT64_MAX);
    pqueue_insert(&queue, &now, 0);
    assert_ptr_equal(pqueue_first(&queue), &now);
    pqueue_remove(&queue, &now);
    assert_ptr_equal(pqueue_first(&queue), &never);
}

enum arrival {
    ASCENDING,
    DESCENDING,
    RANDOM
};

static uint64_t key_of(enum arrival arrival, unsigned i, uint64_t *seed)
{
    return arrival == ASCENDING ? i : arrival == DESCENDING ? UINT32_MAX - i : unit_random(seed);
}

/* Fills, changes and empties a queue of n nodes; the most blocks that one operation took. */
static unsigned long worst_cost(unsigned n, enum arrival arrival)
{
    struct pqueue_node *nodes = calloc(n, sizeof *nodes), *first;
    struct pqueue queue = {0};
    unsigned long worst = 0;
    uint64_t seed = n, last = 0;

#define COST(operation)                                                                            \
    do {                                                                                           \
        blocks = 0;                                                                                \
        operation;                                                                                 \
        worst = blocks > worst ? blocks : worst;                                                   \
    } while (0)

    for (unsigned i = 0; i < n; i++)
        COST(pqueue_insert(&queue, &nodes[i], key_of(arrival, i, &seed)));
    for (unsigned i = 0; i < n; i++) {
        struct pqueue_node *node = &nodes[unit_random(&seed) % n];

        COST(pqueue_remove(&queue, node));
        COST(pqueue_insert(&queue, node, key_of(arrival, n + i, &seed)));
    }
    while ((first = pqueue_first(&queue))) {
        assert_true(first->key >= last);
        last = first->key;
        COST(pqueue_remove(&queue, first));
    }
    assert_int_equal(queue.count, 0);
    free(nodes);
    return worst;
}

static void test_cost_is_logarithmic(void **state)
{
    static const unsigned sizes[] = {1, 10, 1000, 100000};

    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (enum arrival arrival = ASCENDING; arrival <= RANDOM; arrival++) {
            unsigned long worst = worst_cost(sizes[i], arrival);

            print_message("%6u nodes: at most %lu blocks\n", sizes[i], worst);
            assert_true(worst > 0);
            assert_in_range(worst, 1, bound(sizes[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_naive_model),
        cmocka_unit_test(test_equal_keys_come_in_order_of_arrival),
        cmocka_unit_test(test_largest_keys),
        cmocka_unit_test(test_cost_is_logarithmic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
