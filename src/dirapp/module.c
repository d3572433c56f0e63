/* mod_directory: dial by name. */
#include "core/registry/module.h"
#include "base/status.h"
#include "core/registry/app.h"
#include "dirapp/dirapp_i.h"

static const struct app_desc apps[] = {
    {"directory", "directory", "<profile_name> <domain_name> [<context_name>] | [<dialplan_name> <context_name>]", 0,
        app_directory},
    {0},
};
static const struct conf_desc confs[] = {
    {"directory.conf", "use-number-alias", "boolean", NULL, "false",
        "number-alias is said and dialled in place of the id"},
    {"directory.conf", "max-menu-attempts", "number", NULL, "3", "profile: searches until it gives up"},
    {"directory.conf", "min-search-digits", "number", NULL, "3", "profile: fewest keys of a search"},
    {"directory.conf", "max-result", "number", NULL, "5", "profile: most people that are read out; at most 100"},
    {"directory.conf", "digit-timeout", "number", "ms", "3000", "profile: how long a key is waited for"},
    {"directory.conf", "terminator-key", "text", NULL, "#", "profile: ends the keys of a search"},
    {"directory.conf", "next-key", "text", NULL, "6", "profile: the next person"},
    {"directory.conf", "prev-key", "text", NULL, "4", "profile: the one before"},
    {"directory.conf", "switch-order-key", "text", NULL, "*", "profile: by first name in place of the last, and back"},
    {"directory.conf", "select-name-key", "text", NULL, "1", "profile: calls that person"},
    {"directory.conf", "new-search-key", "text", NULL, "3", "profile: begins again"},
    {"directory.conf", "search-order", "text", NULL, "last_name", "profile: last_name or first_name"},
    {0},
};
static const struct var_desc vars[] = {
    {"directory_extension", "extension", "whom the caller chose", false, true},
    {"directory_full_name", "text", "of a user of the directory: the name by which he is found", true, false},
    {0},
};

extern const struct module mod_directory;
const struct module mod_directory = {
    .abi = MODULE_ABI, .name = "mod_directory", .apps = apps, .vars = vars, .confs = confs};
