/* The list of built-in modules: the only place that names them all. */
#pragma once
#include "core/registry/module.h"

ON_CTL int modules_register_all(void);
ANY bool modules_have_file(const char *conf); /* whether one of them reads "x.conf" */
ON_CTL void modules_each_file(void (*fn)(const char *conf, void *arg), void *arg); /* overlay.h */
ON_CTL int file_names_register(void);                                              /* file_names.c: after all others */
extern const struct module mod_local_stream;                                       /* main/local_stream.c */
