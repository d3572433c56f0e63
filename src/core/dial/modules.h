/* What the room adds to the registries: endpoints user, group, error, pickup, and the application that confirms. */
#pragma once

struct module;
extern const struct module dial_user_module, dial_pickup_module, dial_confirm_module;
