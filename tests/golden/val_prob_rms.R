# Calibration of 80 made-up predictions with rms::val.prob: Rscript val_prob_rms.R
suppressMessages(library(rms))
i <- 1:80
# Spaced by more than 1 % of their range and irregular, without ties.
p <- plogis(-2.2 + 4.6 * (i - 0.5) / 80 + 0.012 * sin(7 * i))
y <- as.integer(((29 * i) %% 83) / 83 < plogis(0.3 + 0.6 * qlogis(p)))
found <- val.prob(p, y, pl = FALSE)
dense <- rep(p, each = 3) + rep(c(-0.0011, 0, 0.0013), 80)
outcome <- as.integer(((31 * seq_along(dense)) %% 241) / 241 < dense)
smooth <- lowess(dense, outcome, iter = 0)
jsonlite::write_json(
  list(
    p = p, y = y, val_prob = as.list(found), dense = dense, outcome = outcome,
    lowess_x = smooth$x, lowess_y = smooth$y
  ),
  "val_prob_rms.json", auto_unbox = TRUE, digits = NA, pretty = FALSE
)
