"""What all services share: routes, bodies, errors, limits, logins, roles, traffic counts, declared faults."""
