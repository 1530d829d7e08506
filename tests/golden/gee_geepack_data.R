# The simulated vertebrae of gee_geepack.R and mixed_lme4.R: 40 patients of two sites with 1 to 5 vertebrae,
# classes mixed within patients. Run once; the other two scripts read what it writes.
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20260101)
n <- rep(1:5, length.out = 40)
patient <- rep(0:39, n)
age <- round(rnorm(40, 66, 9))[patient + 1]
site <- rep(0:1, length.out = 40)[patient + 1]
own <- rnorm(40, sd = 0.8)[patient + 1]
y <- rbinom(length(patient), 1, plogis(-0.3 + own + 0.02 * (age - 66)))
x <- round(0.8 * y + 0.02 * (age - 66) + 0.3 * site + rnorm(40, sd = 0.7)[patient + 1] + rnorm(length(patient)), 3)
write.csv(data.frame(patient, y, x, age, site), "gee_geepack.csv", row.names = FALSE, quote = FALSE)
