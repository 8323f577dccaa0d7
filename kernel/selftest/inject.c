/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/inject.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"

/* A reserved, and an ACPI NVS, entry of a memory map. */
#define E820_RESERVED 2
#define E820_NVS      4

/* RAM behind the last entry, so that what is driven out of the holes has somewhere to go. */
#define ROOM_BYTES ((uint64_t)64 << 20)

/* Single-page holes: from here on, one in this many pages. */
#define HOLES_START_PFN 0x108
#define HOLES_STEP      8

static void add_hole(struct injected *in, uint64_t addr, uint64_t len_bytes, uint32_t type)
{
    if (in->nr_holes == ARRAY_SIZE(in->holes))
        panic("inject: more than %lu holes by name", in->nr_holes);
    in->holes[in->nr_holes++] = (struct e820_entry){addr, len_bytes, type};
}

static void add_hole_pfns(struct injected *in, uint64_t pfn, uint64_t nr)
{
    add_hole(in, pfn * PAGE_SIZE, nr * PAGE_SIZE, E820_RESERVED);
}

static uint64_t parse_number(const char **s)
{
    uint64_t n = 0;

    for (; **s >= '0' && **s <= '9'; (*s)++)
        n = n * 10 + (uint64_t)(**s - '0');
    return n;
}

/* If the text at *@s begins with @word, steps over it. */
static bool take_word(const char **s, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*s, word, len))
        return false;
    *s += len;
    return true;
}

/* The PFNs of the builder's list, its tables with it if they are beside it. */
static void add_hole_over_list(struct injected *in, const struct start_info *si)
{
    if (si->nr_p2m_frames)
        add_hole_pfns(in, si->first_p2m_pfn, si->nr_p2m_frames);
    else
        add_hole_pfns(in, boot_pfn(si->mfn_list), DIV_ROUND_UP(si->nr_pages, P2M_PER_PAGE));
}

static void add_hole_over_ramdisk(struct injected *in, const struct start_info *si)
{
    bool by_pfn = si->flags & SIF_MOD_START_PFN;

    add_hole_pfns(in, by_pfn ? si->mod_start : boot_pfn(si->mod_start),
                  DIV_ROUND_UP(si->mod_len, PAGE_SIZE));
}

static bool parse_map(struct injected *in, const char *s, const struct start_info *si)
{
    uint64_t image = boot_pfn((uintptr_t)image_start);

    in->map = true;
    if (take_word(&s, "image")) {
        add_hole_pfns(in, image, boot_pfn((uintptr_t)image_end) - image);
    } else if (take_word(&s, "start_info")) {
        add_hole_pfns(in, boot_pfn((uintptr_t)si), 1);
    } else if (take_word(&s, "tables")) {
        add_hole_pfns(in, boot_pfn(si->pt_base), si->nr_pt_frames);
    } else if (take_word(&s, "list")) {
        add_hole_over_list(in, si);
    } else if (take_word(&s, "ramdisk")) {
        add_hole_over_ramdisk(in, si);
    } else if (take_word(&s, "nvs")) {
        add_hole(in, image * PAGE_SIZE + 0x400, 0x300, E820_NVS);
        add_hole(in, (image + 5) * PAGE_SIZE + 0xc00, 0x1300, E820_NVS);
    } else if (take_word(&s, "holes:")) {
        in->nr_single = parse_number(&s);
    } else if (take_word(&s, "file")) {
        in->map_file = true;
    } else {
        return false;
    }
    return *s == ' ' || *s == '\0';
}

static void __noreturn hang(void)
{
    for (;;)
        barrier();
}

static bool parse(struct injected *in, const char *s, struct start_info *si)
{
    volatile uint64_t *nowhere = (volatile uint64_t *)(VIRT_BASE - PAGE_SIZE);
    const char *at = s;

    if (take_word(&at, "magic"))
        si->magic[0] = 'n';
    else if (take_word(&at, "mfn_list"))
        si->mfn_list += (uint64_t)1 << 46;
    else if (take_word(&at, "nr_pages"))
        si->nr_pages = (uint64_t)1 << 50;
    else if (take_word(&at, "trap"))
        *nowhere = 1;
    else if (take_word(&at, "hang"))
        hang();
    else if (take_word(&at, "tap-plan"))
        in->short_plan = true;
    else if (take_word(&at, "sweep"))
        in->sweep = true;
    else if (take_word(&at, "entry"))
        in->entry = true;
    else if (take_word(&at, "stack"))
        in->stack = true;
    else if (take_word(&at, "alloc:"))
        in->alloc = parse_number(&at);
    else if (take_word(&at, "map:"))
        return parse_map(in, at, si);
    else
        return false;
    return *at == ' ' || *at == '\0';
}

int inject_stage(struct domain *d)
{
    struct start_info *si = (struct start_info *)(uintptr_t)d->start_info;
    const char *line = (const char *)si->cmd_line;
    size_t len = strnlen(line, MAX_GUEST_CMDLINE - 1);

    for (size_t i = 0; i < len; i++) {
        const char *s = line + i;

        if ((i && line[i - 1] != ' ') || !take_word(&s, "inject="))
            continue;
        if (!parse(&d->selftest.injected, s, si)) {
            print("argument inject=%.*s: see kernel/selftest/inject.h for what it may be\n",
                  (int)(len - (size_t)(s - line)), s);
            return -EINVAL;
        }
    }
    return 0;
}

/* The ramdisk's contents, page by page, for a map. */
static int read_file(struct domain *d, struct memory_map *map)
{
    map->nr = d->boot.ramdisk_bytes / sizeof(*map->entries);
    map->len_bytes = boot_info_ramdisk_pages(&d->boot) * PAGE_SIZE;
    map->entries = heap_alloc(&d->heap, map->len_bytes);
    if (!map->entries)
        return -ENOMEM;
    for (uint64_t i = 0; i < map->len_bytes / PAGE_SIZE; i++) {
        mfn_t mfn = p2m_get_ram(&d->p2m, to_pfn(d->boot.ramdisk_pfn + i));
        const void *page = fixmap_map(&d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);

        if (!page)
            return -EPERM;
        memcpy((uint8_t *)map->entries + i * PAGE_SIZE, page, PAGE_SIZE);
    }
    fixmap_unmap(&d->fixmap, FIXMAP_SCRATCH);
    return 0;
}

/* The domain's map, the holes, and room behind it all. */
static int add_holes(struct domain *d, struct memory_map *map)
{
    const struct injected *in = &d->selftest.injected;
    size_t nr = d->map.nr + in->nr_holes + in->nr_single + 1;
    uint64_t end = 0;

    map->len_bytes = nr * sizeof(*map->entries);
    map->entries = heap_alloc(&d->heap, map->len_bytes);
    if (!map->entries)
        return -ENOMEM;
    for (size_t i = 0; i < d->map.nr; i++) {
        const struct e820_entry *e = &d->map.entries[i];

        if (e->type == E820_RAM)
            end = max_u64(end, e->addr + e->len_bytes);
        map->entries[map->nr++] = *e;
    }
    for (size_t i = 0; i < in->nr_holes; i++)
        map->entries[map->nr++] = in->holes[i];
    for (uint64_t i = 0; i < in->nr_single; i++)
        map->entries[map->nr++] = (struct e820_entry){
            (HOLES_START_PFN + i * HOLES_STEP) * PAGE_SIZE, PAGE_SIZE, E820_RESERVED};
    map->entries[map->nr++] = (struct e820_entry){end, ROOM_BYTES, E820_RAM};
    return 0;
}

int inject_map(struct domain *d)
{
    struct memory_map map = {0};
    int rc = d->selftest.injected.map_file ? read_file(d, &map) : add_holes(d, &map);

    if (!rc)
        rc = host_set_memory_map(&map);
    if (rc)
        print("inject: a map of %lu entries cannot be set: %d\n", map.nr, rc);
    heap_free(&d->heap, map.entries, map.len_bytes);
    heap_free(&d->heap, d->map.entries, d->map.len_bytes);
    d->map_source = MAP_OWN;
    return rc ? rc : host_memory_map(&d->map, &d->heap, MAP_OWN, d->boot.nr_pages);
}

static void swap_entries(struct domain *d)
{
    uint64_t pfn, entry, *list = d->p2m.list;

    if (!d->frame_pool.nr_runs)
        return;
    pfn = d->frame_pool.runs[0].start;
    entry = list[pfn];
    list[pfn] = list[pfn + 1];
    list[pfn + 1] = entry;
}

/* Uses @nr_bytes of the stack or more. The addition after the call keeps the call a call. */
static uint64_t __attribute__((noinline)) use_stack(size_t nr_bytes)
{
    volatile uint64_t here[16] = {nr_bytes};

    return (nr_bytes > sizeof(here) ? use_stack(nr_bytes - sizeof(here)) : 0) + here[0];
}

void inject_late(struct domain *d)
{
    if (d->selftest.injected.entry)
        swap_entries(d);
    if (d->selftest.injected.stack)
        panic("inject: the stack did not overflow: %lu", use_stack(2 * STACK_BYTES));
}
