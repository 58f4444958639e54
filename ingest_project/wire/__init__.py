"""HTTP as every adapter speaks it: one request, one answer; calls that hold. No vendor is known here."""
