/* Call records: a CSV line (mod_cdr_csv) and an XML file (mod_xml_cdr) per finished leg. What is to be written goes
 * into a journal first, so that a crash between hang-up and file loses nothing; the next start writes what is missing.
 */
#pragma once
#include "core/registry/module.h"

extern const struct module mod_cdr_csv, mod_xml_cdr, mod_json_cdr, mod_format_cdr, mod_cdr_pg_csv, mod_cdr_sqlite,
    cdr_in_commands;
ON_CTL void cdr_rotate(void); /* HUP: moves the CSV files aside when rotate-on-hup says so */
/* The record of a leg as FreeSWITCH's XML, variables url-encoded, appended to out; mod_xml_cdr need not be loaded. */
ON_CTL void cdr_xml_write(struct leg *leg, struct buf *out);
/* FreeSWITCH's b leg: who was called by another leg and is not on a way of its own since. */
ON_CTL bool cdr_is_b(const struct leg *leg);
/* process_cdr and whose legs are wanted: whether this leg is recorded. */
ON_CTL bool cdr_is_wanted(struct leg *leg, bool has_a, bool has_b);
