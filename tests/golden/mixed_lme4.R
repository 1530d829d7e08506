# Random-intercept model of gee_geepack.csv by lme4 (REML).
suppressMessages({library(lme4); library(jsonlite)})
d <- read.csv("gee_geepack.csv")
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5))
fit <- function(formula) {
  m <- lmer(formula, data = d, REML = TRUE, control = control)
  v <- as.data.frame(VarCorr(m))$vcov
  list(params = unname(fixef(m)), errors = unname(sqrt(diag(as.matrix(vcov(m))))),
       variance_patient = v[1], variance_residual = v[2])
}
out <- list(x = fit(x ~ y + age + site + (1 | patient)),
            # a response that varies less between patients than chance alone would make it
            boundary = fit(I(10 * (seq_along(x) %% 3) + 0.1 * x) ~ y + (1 | patient)),
            versions = c(R.version.string, paste("lme4", packageVersion("lme4"))))
write_json(out, "mixed_lme4.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
