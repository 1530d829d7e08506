# Paired DeLong test of two scores of the same 60 independent cases, with ties: Rscript paired_delong_proc.R
suppressMessages(library(pROC))
i <- 1:60
y <- as.integer(i %% 3 == 0)
first <- (37 * i) %% 61 + 15 * y
second <- (23 * i) %% 17 + 4 * y
a <- roc(y, first, levels = c(0, 1), direction = "<")
b <- roc(y, second, levels = c(0, 1), direction = "<")
test <- roc.test(a, b, paired = TRUE, method = "delong")
variance <- var(a, method = "delong") + var(b, method = "delong") - 2 * cov(a, b, method = "delong")
jsonlite::write_json(
  list(
    y = y, first = first, second = second,
    auc_first = as.numeric(auc(a)), auc_second = as.numeric(auc(b)),
    z = unname(test$statistic), p_value = test$p.value, variance = variance
  ),
  "paired_delong_proc.json", auto_unbox = TRUE, digits = NA, pretty = FALSE
)
