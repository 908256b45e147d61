/*
 * A leftist heap. `rank` is the length of a node's shortest way down to a missing child; in each
 * node the left child's rank is not below the right one's. So the rightmost path is the shortest,
 * at most log2(n + 1) nodes, and merging two heaps walks only their rightmost paths. Everything
 * else is a merge: an insert merges a heap of one, a removal merges the two children.
 *
 * Merging is done by a loop, not by recursion: the hypervisor's stacks are small. A first pass
 * goes down and links, a second one goes up and repairs ranks.
 */
#include "pqueue.h"
#include <assert.h>
#include <stddef.h>

static bool before(const struct pqueue_node *a, const struct pqueue_node *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static uint32_t rank_of(const struct pqueue_node *node)
{
    return node ? node->rank : 0;
}

/* Puts the node's children in order and its rank right; true when the rank has changed. */
static bool settle(struct pqueue_node *node)
{
    uint32_t old = node->rank;

    if (rank_of(node->left) < rank_of(node->right)) {
        struct pqueue_node *swap = node->left;

        node->left = node->right;
        node->right = swap;
    }
    node->rank = rank_of(node->right) + 1;
    return node->rank != old;
}

/* Merges two heaps and returns the root, whose parent is NULL. */
__attribute__((noinline)) static struct pqueue_node *merge(struct pqueue_node *a,
                                                           struct pqueue_node *b)
{
    struct pqueue_node *root = NULL, *last = NULL;
    struct pqueue_node **link = &root;

    while (a && b) {
        if (before(b, a)) {
            struct pqueue_node *swap = a;

            a = b;
            b = swap;
        }
        *link = a;
        a->parent = last;
        last = a;
        link = &a->right;
        a = a->right;
    }
    *link = a ? a : b;
    if (*link)
        (*link)->parent = last;
    for (struct pqueue_node *node = last; node; node = node->parent)
        settle(node);
    return root;
}

__attribute__((noinline)) static void merge_in(struct pqueue *queue, struct pqueue_node *node)
{
    queue->root = merge(queue->root, node);
}

/* A queue is empty, or will be, more often than not: that is inline, and no call but the last. */
void pqueue_insert(struct pqueue *queue, struct pqueue_node *node, uint64_t key)
{
    assert(!node->queued);
    node->key = key;
    node->order = queue->arrivals++;
    node->left = node->right = node->parent = NULL;
    node->rank = 1;
    node->queued = true;
    queue->count++;
    if (queue->root == NULL)
        queue->root = node;
    else
        merge_in(queue, node);
}

/* Takes the node out of the tree. */
__attribute__((noinline)) static void unlink(struct pqueue *queue, const struct pqueue_node *node)
{
    struct pqueue_node *parent = node->parent;
    struct pqueue_node *heir = merge(node->left, node->right);

    if (heir)
        heir->parent = parent;
    if (!parent)
        queue->root = heir;
    else if (parent->left == node)
        parent->left = heir;
    else
        parent->right = heir;
    /* Where a rank stays, nothing above changes; ranks can shrink along log2(n + 1) nodes only. */
    while (parent && settle(parent))
        parent = parent->parent;
}

void pqueue_remove(struct pqueue *queue, struct pqueue_node *node)
{
    assert(node->queued && queue->count > 0);
    node->queued = false;
    queue->count--;
    if (queue->count == 0)
        queue->root = NULL;
    else
        unlink(queue, node);
}

struct pqueue_node *pqueue_first(const struct pqueue *queue)
{
    return queue->root;
}
