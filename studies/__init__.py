"""What validates the statistics: calibration, the choice of K, held-out dyads of C. elegans."""
