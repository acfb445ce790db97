-- What only the rehearsal knows is kept apart from the tables of the incident.
CREATE DATABASE rehearsal
