/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/inject.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"

/* Types of E820 entries. */
#define E820_RESERVED 2
#define E820_NVS      4

/* RAM that is added behind the E820 map, for the new PFNs of frames in injected holes. */
#define ROOM_BYTES ((uint64_t)64 << 20)

/* map:holes:N adds holes of one page at this PFN, and at every HOLES_STEP-th PFN above. */
#define HOLES_START_PFN 0x108
#define HOLES_STEP      8

static void add_hole(struct injected *in, uint64_t addr, uint64_t len_bytes, uint32_t type)
{
    if (in->nr_holes == ARRAY_SIZE(in->holes))
        panic("kernel argument inject=map: more than %lu holes to add to the E820 map, expected at "
              "most %lu",
              in->nr_holes, ARRAY_SIZE(in->holes));
    in->holes[in->nr_holes++] = (struct e820_entry){addr, len_bytes, type};
}

static void add_hole_pfns(struct injected *in, uint64_t pfn, uint64_t nr)
{
    add_hole(in, pfn * PAGE_SIZE, nr * PAGE_SIZE, E820_RESERVED);
}

/* Parses the text at *@s, up to a blank or the end, as a number, and moves *@s behind the text. */
static bool take_number(const char **s, uint64_t *value)
{
    size_t len = 0;

    while ((*s)[len] && (*s)[len] != ' ')
        len++;
    if (!number_parse(*s, len, UINT64_MAX, value))
        return false;
    *s += len;
    return true;
}

/* If the text at *@s begins with @word, moves *@s behind it. */
static bool take_word(const char **s, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*s, word, len))
        return false;
    *s += len;
    return true;
}

/*
 * The PFNs of the builder's P2M list, and of its page tables if the builder allocated both there.
 */
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
        if (!take_number(&s, &in->nr_single))
            return false;
    } else if (take_word(&s, "file")) {
        in->map_file = true;
    } else {
        return false;
    }
    return *s == ' ' || *s == '\0';
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
        in->hang = true;
    else if (take_word(&at, "tap-plan"))
        in->short_plan = true;
    else if (take_word(&at, "sweep"))
        in->sweep = true;
    else if (take_word(&at, "entry"))
        in->entry = true;
    else if (take_word(&at, "stack"))
        in->stack = true;
    else if (take_word(&at, "map:"))
        return parse_map(in, at, si);
    else if (!take_word(&at, "alloc:") || !take_number(&at, &in->alloc))
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
            printk(LOG_ERROR,
                   "argument inject=%.*s: expected a fault of kernel/selftest/inject.h\n",
                   (int)(len - (size_t)(s - line)), s);
            return -EINVAL;
        }
    }
    return 0;
}

/* map:file: reads the E820 entries from the ramdisk, which may be unmapped. */
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

/* The E820 map of this domain, the injected holes, and RAM behind the last RAM entry. */
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
        printk(LOG_ERROR, "inject: an E820 map of %lu entries could not be set: %d (%s)\n", map.nr,
               rc, errno_name(rc));
    heap_free(&d->heap, map.entries, map.len_bytes);
    heap_free(&d->heap, d->map.entries, d->map.len_bytes);
    d->map_source = MAP_OWN;
    return rc ? rc : host_memory_map(&d->map, &d->heap, MAP_OWN, d->boot.nr_pages);
}

/* Swaps the P2M entries of the first two free PFNs. */
static void swap_entries(struct domain *d)
{
    uint64_t pfn, entry, *list = d->p2m.list;

    if (!d->frame_pool.free.nr_runs)
        return;
    pfn = d->frame_pool.free.runs[0].start;
    entry = list[pfn];
    list[pfn] = list[pfn + 1];
    list[pfn + 1] = entry;
}

/* Uses at least @nr_bytes of the stack. The addition after the call prevents a tail call. */
static uint64_t __attribute__((noinline)) use_stack(size_t nr_bytes)
{
    volatile uint64_t here[16] = {nr_bytes};

    return (nr_bytes > sizeof(here) ? use_stack(nr_bytes - sizeof(here)) : 0) + here[0];
}

static void __noreturn hang(void)
{
    printk(LOG_WARN, "inject: this kernel hangs from now on\n");
    for (;;)
        barrier();
}

void inject_late(struct domain *d)
{
    if (d->selftest.injected.hang)
        hang();
    if (d->selftest.injected.entry)
        swap_entries(d);
    if (d->selftest.injected.stack)
        panic("inject=stack: %lu bytes of stack were used, expected a fault at the guard page",
              use_stack(2 * STACK_BYTES));
}
