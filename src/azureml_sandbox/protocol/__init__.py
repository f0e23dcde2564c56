"""What all services share: routes, bodies, errors, limits, logins."""
