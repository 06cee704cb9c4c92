/* resolve.h - where to listen: SERVER_IP as an address. */
#ifndef LOTTERY_RESOLVE_H
#define LOTTERY_RESOLVE_H

#include "errbuf.h"
#include "server_settings.h"
#include "status.h"

/* Replaces settings->ip by the address that it stands for: an IPv4 or IPv6 address, and the default
 * "server", stay as they are; another name is looked up, and becomes its first IPv4 address, or its
 * first IPv6 address if it has no other. STATUS_INVALID when it is neither, or is not found: *err
 * has "file:line: SERVER_IP: reason". STATUS_STOPPED when SIGTERM or SIGINT, which the caller has
 * blocked, arrive meanwhile; they stay pending. STATUS_IO when the system refuses, or when the
 * process that looks it up dies. Then the settings are unchanged. Blocks on the name service; forks
 * a process for that. */
enum status resolve_listen_ip(struct server_settings *settings, struct errbuf *err);

#endif
