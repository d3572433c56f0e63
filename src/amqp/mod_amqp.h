/* AMQP 0-9-1 (RabbitMQ): events, commands, log lines and call records; docs/call-records.md. */
#pragma once
#include "core/registry/module.h"

extern const struct module mod_amqp;
