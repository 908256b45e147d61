/*
 * A priority queue of nodes that their owners embed: a pairing of a 64-bit key and a place in a
 * tree. Smallest key first; equal keys in order of arrival. Insert, remove and take O(log n).
 */
#ifndef CORE_PQUEUE_H
#define CORE_PQUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct pqueue_node {
    uint64_t key, order;
    struct pqueue_node *left, *right, *parent; /* a leftist heap */
    uint32_t rank;
    bool queued;
};

struct pqueue {
    struct pqueue_node *root;
    uint64_t arrivals;
    unsigned count;
};

void pqueue_insert(struct pqueue *queue, struct pqueue_node *node, uint64_t key);
/* The node must be in this queue. */
void pqueue_remove(struct pqueue *queue, struct pqueue_node *node);
/* The first node, or NULL; it stays in the queue. */
struct pqueue_node *pqueue_first(const struct pqueue *queue);

#endif
