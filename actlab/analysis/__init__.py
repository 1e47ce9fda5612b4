"""Reading: from result frames to intervals, tables, figures and reports. No JAX; nothing here trains or measures."""
