/*
 * See placement.h; for boot alone. Capsules are looked at in the order in which they are created,
 * services first, and who came first has the older right: one that asks for a hart that is
 * another's alone, or for a hart alone on which another may run, is refused. So is one that would
 * leave no hart to those that are not pinned, and one that is not pinned when nothing is left.
 */
#include "capsule.h"
#include "hart.h"
#include "log.h"
#include "placement.h"

_Static_assert(HART_MAX <= 64, "hart_set.harts has a bit for each");

/* The hart's bit, or 0. */
static uint64_t hart_bit(uint32_t id)
{
    for (unsigned i = 0; i < hart_count; i++)
        if (harts[i]->id == id && hart_takes_guests(harts[i]))
            return UINT64_C(1) << i;
    return 0;
}

static uint64_t all_harts(void)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < hart_count; i++)
        if (hart_takes_guests(harts[i]))
            mask |= UINT64_C(1) << i;
    return mask;
}

static bool find_harts(const struct capsule_config *config, uint64_t *mask)
{
    *mask = 0;
    for (unsigned i = 0; i < config->pinned_count; i++) {
        uint64_t bit = hart_bit(config->pinned[i]);
        if (bit == 0) {
            log_error("capsule %s: there is no hart %u that runs guests", config->name,
                      config->pinned[i]);
            return false;
        }
        *mask |= bit;
    }
    return true;
}

/* Nobody may run on the harts of one that has them alone. */
static bool is_compatible(const struct capsule_config *config, uint64_t mask)
{
    bool shared_in_use = false;
    for (unsigned i = 0; i < capsule_count; i++) {
        const struct capsule *other = capsules[i];
        shared_in_use |= other->set == &placement_shared;
        if (other->set == &placement_shared || (other->set->harts & mask) == 0 ||
            !(config->exclusive || other->config.exclusive))
            continue;
        log_error("capsule %s: of its harts, some are capsule %s's, and one of the two wants them "
                  "alone",
                  config->name, other->config.name);
        return false;
    }
    if (config->exclusive && shared_in_use && (placement_shared.harts & all_harts() & ~mask) == 0) {
        log_error("capsule %s: would leave no hart to capsules that are not pinned", config->name);
        return false;
    }
    return true;
}

static struct hart_set *set_of(struct capsule *capsule, uint64_t mask)
{
    for (unsigned i = 0; i < capsule_count; i++)
        if (capsules[i]->set == &capsules[i]->own_set && capsules[i]->own_set.harts == mask)
            return capsules[i]->set;
    struct hart_set *set = &capsule->own_set;
    *set = (struct hart_set){.harts = mask, .next = placement_shared.next};
    placement_shared.next = set;
    return set;
}

enum error placement_admit(struct capsule *capsule)
{
    const struct capsule_config *config = &capsule->config;
    uint64_t mask;
    capsule->set = &placement_shared;
    if (config->pinned_count == 0) {
        if (hart_count == 0 || (placement_shared.harts & all_harts()) != 0)
            return OK;
        log_error("capsule %s: no hart is left for it: all are other capsules' alone",
                  config->name);
        return ERROR_NOT_FOUND;
    }
    if (!find_harts(config, &mask))
        return ERROR_NOT_FOUND;
    if (!is_compatible(config, mask))
        return ERROR_BAD_CONFIG;
    if (config->exclusive)
        placement_shared.harts &= ~mask;
    capsule->set = set_of(capsule, mask);
    return OK;
}
